// What a reader chooses of the pictures of diagnoses is in the address too, what is as usual unsaid.
for (const what of ["time", "of", "shares"]) {
  const control = (section) => section.querySelector(`[data-diagnosis=${what}]`);
  SEEN[what] = {
    read(section) {
      const { value } = control(section) ?? {};
      return value === unaskedOf(control(section)) ? "" : value;
    },
    restore(section, value) {
      const turned = control(section), options = [...(turned?.options ?? [])];
      const there = !options.length || options.some((option) => option.value === value);
      turn(turned, value && there ? value : unaskedOf(turned));
    },
  };
}

const unaskedOf = (control) => (control?.options
  ? [...control.options].find(({ defaultSelected }) => defaultSelected)?.value
  : control?.defaultValue);
