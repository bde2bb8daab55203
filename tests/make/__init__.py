"""What tests make up: `models`, `trials`, `rows` of trials that never ran, `spaces`, `data`."""
