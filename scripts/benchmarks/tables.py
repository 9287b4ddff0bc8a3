"""Tables in Markdown."""

import statistics


def medians(results, rounds):
    """By name the median of each column, for those that came through all rounds."""
    return {
        name: [statistics.median(column) for column in zip(*samples)]
        for name, samples in results.items() if len(samples) == rounds
    }


def table(columns, titles, results, rounds, peers):
    """`columns` are (title, format); after each figure its ratio to the smallest of `peers`."""
    rows = medians(results, rounds)
    best = [min(column) for column in zip(*(rows[name] for name in peers if name in rows))]
    lines = ["| | " + " | ".join(title for title, _ in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, title in titles.items():
        if name not in rows:
            lines.append(f"| {title} | incomplete |" + " |" * (len(columns) - 1))
            continue
        cells = []
        for at, (_, form) in enumerate(columns):
            ratio = f" ({rows[name][at] / best[at]:.2f})" if best and best[at] else ""
            cells.append(format(rows[name][at], form) + ratio)
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def spread(results, rounds):
    """By name the extremes of the first column, for the log."""
    return "; ".join(
        f"{name} {min(s[0] for s in samples):.2f} to {max(s[0] for s in samples):.2f}"
        for name, samples in results.items() if len(samples) == rounds
    )
