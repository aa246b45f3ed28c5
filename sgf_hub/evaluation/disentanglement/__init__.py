"""How much else an edit changes: MDS (Section 4.2), method by method."""
