"""The measures of other papers, all at one change of the target: docs/metrics.md defines each."""
