"""What a routing does, over depth and over time: an analysis a file, none knows a variant."""
