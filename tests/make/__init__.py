"""Made-up inputs: `models`, `trials`, `rows` of trials that never ran, `spaces`, `data`."""
