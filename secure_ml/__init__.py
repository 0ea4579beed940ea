"""secure_ml: train machine-learning models on sensitive tables through one audited, encrypted door."""
