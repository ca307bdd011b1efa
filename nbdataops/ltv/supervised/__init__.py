"""Methods that learn from labels of earlier origins."""
