"""The verbs of the command line, a file a group; heavy imports stay inside the functions."""
