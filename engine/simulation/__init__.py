"""How a simulated market answers an order: the matching that paper fills use."""
