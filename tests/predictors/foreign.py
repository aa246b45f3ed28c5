"""Tiny repos in transformers' own format, with random weights; and what transformers itself makes of a picture."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

SIDE = 32
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
LABELS = ("Smiling", "Wearing Hat", "5 o'Clock Shadow")
VIT = {"size": {"height": SIDE, "width": SIDE}, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.2]}
WORDS = ["<|startoftext|>", "<|endoftext|>", "a", "smiling", "neutral", "sad", "face", "with", "hat", "bare", "head"]


def processor(kind: str, **settings: object) -> Any:
    """transformers' own image processor, the one that goes through PIL."""
    name = {"ViT": "vit", "ConvNext": "convnext", "CLIP": "clip", "VitPose": "vitpose"}.get(kind, kind.lower())
    module = import_module(f"transformers.models.{name}.image_processing_pil_{name}")
    return getattr(module, f"{kind}ImageProcessorPil")(**settings)


def processed(folder: Path, images: Tensor, kind: str, **more: object) -> Tensor:
    """Pictures as transformers' processor of a folder prepares them."""
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    made = processor(kind, **{key: value for key, value in settings.items() if key != "image_processor_type"})
    pixels = [((image + 1) * 127.5).round().byte().numpy().transpose(1, 2, 0) for image in images]
    return torch.from_numpy(np.stack(made(pixels, **more)["pixel_values"])).float()


def whole(images: Tensor) -> Tensor:
    """Images whose pixels are whole numbers, as those that PIL takes."""
    return ((images + 1) * 127.5).round() / 127.5 - 1


def _spread(network: torch.nn.Module) -> torch.nn.Module:
    """Weights that make outputs differ."""
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=1.5 / parameter[0].numel() ** 0.5)
        elif name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def write_classifier(
    folder: Path, *, kind: str = "vit", labels: tuple[str, ...] = LABELS, several: bool = True, **settings: object
) -> Path:
    """A ViT, ResNet or ConvNextV2 classifier of 32 px."""
    import transformers

    stages = {"hidden_sizes": [8, 12], "depths": [1, 1]}
    name, sizes, prepares, size = {
        "vit": ("ViT", {**SMALL, "image_size": SIDE, "patch_size": 8}, "ViT", VIT),
        "resnet": ("ResNet", {**stages, "embedding_size": 8, "layer_type": "basic"}, "ConvNext", {}),
        "convnextv2": ("ConvNextV2", {**stages, "num_stages": 2, "patch_size": 2}, "ConvNext", {}),
    }[kind]
    named = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    problem = {"problem_type": "multi_label_classification"} if several else {}
    config = getattr(transformers, f"{name}Config")(**sizes, **named, **problem)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = getattr(transformers, f"{name}ForImageClassification")(config)
        _spread(network).save_pretrained(folder)
    size = size or {"size": {"shortest_edge": SIDE}}
    processor(prepares, **{**size, **settings}).save_pretrained(folder)
    return folder


def write_clip(folder: Path, *, seed: int = 0) -> Path:
    """A CLIP that embeds 11 words and pictures of 32 px in 12 numbers."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPConfig, CLIPModel

    text = {**SMALL, "vocab_size": len(WORDS), "max_position_embeddings": 12, "bos_token_id": 0, "eos_token_id": 1}
    vision = {**SMALL, "image_size": SIDE, "patch_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = _spread(CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)))
        network.logit_scale.data.fill_(1.5)
        network.save_pretrained(folder)
    size = {"shortest_edge": SIDE}
    processor("CLIP", size=size, crop_size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{WORDS[0]} $A {WORDS[1]}", special_tokens=[(word, i) for i, word in enumerate(WORDS[:2])]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_vitpose(folder: Path, *, points: int = 4, named: bool = True, experts: int = 1) -> Path:
    """A ViTPose whose frame is 48 x 32 px."""
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    names = ["Nose", "L_Eye", "R_Eye", "Left Ear"][:points]
    labels = {"id2label": dict(enumerate(names))} if named else {"num_labels": points}
    backbone = VitPoseBackboneConfig(
        image_size=[48, 32], patch_size=[8, 8], hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        mlp_ratio=2, out_indices=[2], num_experts=experts, part_features=4,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, use_simple_decoder=True, **labels))
        _spread(network).save_pretrained(folder)
    processor("VitPose", size={"height": 48, "width": 32}).save_pretrained(folder)
    return folder


def change(folder: Path, file: str = "config.json", **changes: object) -> None:
    """Change keys of a JSON file; those that become None are removed."""
    held = {**json.loads((folder / file).read_text()), **changes}
    (folder / file).write_text(json.dumps({key: value for key, value in held.items() if value is not None}))
