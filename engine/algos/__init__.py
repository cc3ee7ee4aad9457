"""How an order is worked: algorithms that decide which children to send, and one place that holds them to the plan."""
