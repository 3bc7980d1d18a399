"""How fast a model runs on this machine, layer by layer, beside other runtimes."""
