"""Work dealt out to a few processes."""


def deal(items, count):
    """`items` are (size, …), large ones first; `count` lists of about the same size."""
    lists = [[0, []] for _ in range(count)]
    for item in items:
        least = min(lists, key=lambda one: one[0])
        least[0] += item[0]
        least[1].append(item)
    return [items for _, items in lists if items]
