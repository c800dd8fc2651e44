"""Publication figures by matplotlib, which is imported when a figure is drawn and not before."""
