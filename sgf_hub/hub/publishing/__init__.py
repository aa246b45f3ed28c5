"""What goes to the Hub: model cards, repos with their parts, the demo as a Space."""
