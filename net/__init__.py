"""The models, and nothing but models: building one never touches the internet."""
