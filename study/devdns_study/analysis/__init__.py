"""From rows to findings to a report, by the plan in `study/protocol.md`. A seed and the rows give the same bytes every time."""
