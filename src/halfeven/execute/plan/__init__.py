"""From a Program and the shapes of its inputs to steps of the native engine: layouts, weights, tables of offsets."""
