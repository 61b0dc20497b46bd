"""Tools for agents over the Model Context Protocol: the read model as answers of bounded size."""
