"""The ground of a scene: brightness and roughness."""
