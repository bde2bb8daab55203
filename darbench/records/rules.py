"""The rules of measurement: constants in the code of the metrics, and a version of the rest.

Every name here in capitals is part of the protocol hash. Raise RULES when a change to the code
gives the same images or the same weights another number: tests/records/test_rules.py notices.
"""

RULES = 3

# The generator's batch is fixed and padded, so that no sample depends on it: at most this many
# samples, and at most this many tokens.
SAMPLE_BATCH, SAMPLE_TOKENS = 480, 30_720
# The extractor's batch has one size, for a convolution may round differently at another.
FEATURE_BATCH = 64
VALIDATION_BINS = 4  # equal bins of t
# The part of t at either end that the validation loss leaves out, and that sampling leaves out
# where a conversion is singular there; the value is that of the official SiT.
MARGIN = 1e-3
ADAPTIVE_RTOL, ADAPTIVE_ATOL = 1e-3, 1e-6  # of the adaptive sampler, as in the official SiT
NEIGHBOURS = 3  # k of precision and recall
KERNEL_DEGREE = 3  # degree of the polynomial of KID
KERNEL_LEAST = 4  # the fewest samples of a label for KID, where the shares of labels are set
FD_INFINITY_SHUFFLES = 3
FD_INFINITY_LEAST = 8  # the fewest samples per feature
MOST_REFERENCES, MOST_VAL = 10_000, 2048  # the most items of data that are too large for memory
