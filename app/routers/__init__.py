"""One file for each resource; routers declare, services do."""
