"""The rules of measurement: constants in the code of the metrics, and a version of the rest.

All that is written here in capitals is part of the protocol hash. Raise RULES when a change to
the code gives the same images or the same weights another number:
tests/records/test_rules.py tells.
"""

RULES = 3

# The generator's batch is fixed and padded, so that no sample depends on the others in it: as many
# samples as the first says, or as the second allows, where a sample has many tokens.
SAMPLE_BATCH, SAMPLE_TOKENS = 480, 30_720
# The extractor has one batch size: a convolution may round differently for another.
FEATURE_BATCH = 64
VALIDATION_BINS = 4  # of t
# What the validation loss leaves out of t at either end, whatever the model predicts, and sampling
# where a conversion is singular there: the official SiT's value.
MARGIN = 1e-3
ADAPTIVE_RTOL, ADAPTIVE_ATOL = 1e-3, 1e-6  # of the adaptive sampler, the official SiT's
NEIGHBOURS = 3  # k of precision and recall
KERNEL_DEGREE = 3  # of the polynomial of KID
KERNEL_LEAST = 4  # samples of a label for KID, where shares of labels are set
FD_INFINITY_SHUFFLES = 3
FD_INFINITY_LEAST = 8  # samples a feature
MOST_REFERENCES, MOST_VAL = 10_000, 2048  # items of data that are too large for memory
