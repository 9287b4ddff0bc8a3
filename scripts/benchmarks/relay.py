"""A relay that puts a round trip before a registry.

    relay.py LISTEN UPSTREAM SECONDS    half a round trip of SECONDS each way
"""

import asyncio
import sys


async def relay(listen, upstream, delay):
    """Passes connections on and everything in them `delay` seconds later, order and rate kept."""

    async def one_way(reader, writer):
        queue = asyncio.Queue()
        loop = asyncio.get_running_loop()

        async def deliver():
            while True:
                due, data = await queue.get()
                await asyncio.sleep(due - loop.time())
                if not data:
                    writer.close()
                    return
                writer.write(data)
                await writer.drain()

        delivering = asyncio.create_task(deliver())
        data = b"."
        while data:
            try:
                data = await reader.read(1 << 18)
            except OSError:
                data = b""
            queue.put_nowait((loop.time() + delay, data))
        await asyncio.gather(delivering, return_exceptions=True)

    async def connection(reader, writer):
        # A connection costs a round trip before its first byte.
        await asyncio.sleep(2 * delay)
        there = await asyncio.open_connection(*upstream.split(":"))
        await asyncio.gather(one_way(reader, there[1]), one_way(there[0], writer))

    server = await asyncio.start_server(connection, *listen.split(":"), limit=1 << 20)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1], sys.argv[2], float(sys.argv[3])))
