"""Files and names: the embedded zoo, the Hugging Face Hub, folders; loading and publishing."""
