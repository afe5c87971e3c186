"""Is importance true: of the model, and of the structures that it is given?"""
