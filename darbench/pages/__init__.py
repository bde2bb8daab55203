"""What every page is made of: packing, scripts, templates, figures."""
