"""Who is measured: one module per system, all with the shape of `base.System`."""
