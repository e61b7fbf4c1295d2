"""`POST /tools/{name}`: plain, and in the shapes in which phone platforms call tools."""
