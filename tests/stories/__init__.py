"""Whole lives of orders, told in few lines."""
