"""Mappings that visitors open by name, with the generator and predictor that each names."""
