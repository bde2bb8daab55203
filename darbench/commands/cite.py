"""The papers behind the routings and what they are compared in, for `darbench cite`."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    title: str
    authors: str  # as BibTeX wants them; "others" where the list was cut
    year: int


PAPERS: dict[str, Paper] = {
    "1505.00387": Paper(
        "Highway Networks",
        'Srivastava, Rupesh Kumar and Greff, Klaus and Schmidhuber, J{\\"u}rgen',
        2015,
    ),
    "1512.03385": Paper(
        "Deep Residual Learning for Image Recognition",
        "He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian",
        2015,
    ),
    "2003.04887": Paper(
        "ReZero is All You Need: Fast Convergence at Large Depth",
        "Bachlechner, Thomas and Majumder, Bodhisattwa Prasad and Mao, Huanru Henry and "
        "Cottrell, Garrison W. and McAuley, Julian",
        2020,
    ),
    "2103.17239": Paper(
        "Going Deeper with Image Transformers",
        "Touvron, Hugo and Cord, Matthieu and Sablayrolles, Alexandre and Synnaeve, Gabriel and "
        "J{\\'e}gou, Herv{\\'e}",
        2021,
    ),
    "2203.00555": Paper(
        "DeepNet: Scaling Transformers to 1,000 Layers",
        "Wang, Hongyu and Ma, Shuming and Dong, Li and Huang, Shaohan and Zhang, Dongdong and "
        "Wei, Furu",
        2022,
    ),
    "2209.12152": Paper(
        "All are Worth Words: A ViT Backbone for Diffusion Models",
        "Bao, Fan and Nie, Shen and Xue, Kaiwen and Cao, Yue and Li, Chongxuan and Su, Hang and "
        "Zhu, Jun",
        2022,
    ),
    "2401.08740": Paper(
        "SiT: Exploring Flow and Diffusion-based Generative Models with Scalable Interpolant "
        "Transformers",
        "Ma, Nanye and Goldstein, Mark and Albergo, Michael S. and Boffi, Nicholas M. and "
        "Vanden-Eijnden, Eric and Xie, Saining",
        2024,
    ),
    "2402.02622": Paper(
        "DenseFormer: Enhancing Information Flow in Transformers via Depth Weighted Averaging",
        "Pagliardini, Matteo and Mohtashami, Amirkeivan and Fleuret, Fran{\\c{c}}ois and "
        "Jaggi, Martin",
        2024,
    ),
    "2409.19606": Paper(
        "Hyper-Connections",
        "Zhu, Defa and Huang, Hongzhi and Huang, Zihao and Zeng, Yutao and Mao, Yunyao and "
        "Wu, Banggu and Min, Qiyang and Zhou, Xun",
        2024,
    ),
    "2410.06940": Paper(
        "Representation Alignment for Generation: Training Diffusion Transformers Is Easier Than "
        "You Think",
        "Yu, Sihyun and Kwak, Sangkyung and Jang, Huiwon and Jeong, Jongheon and "
        "Huang, Jonathan and Shin, Jinwoo and Xie, Saining",
        2024,
    ),
    "2502.06785": Paper(
        "DeepCrossAttention: Supercharging Transformer Residual Connections",
        "Heddes, Mike and Javanmard, Adel and Axiotis, Kyriakos and Fu, Gang and "
        "Bateni, MohammadHossein and Mirrokni, Vahab",
        2025,
    ),
    "2502.12170": Paper(
        "MUDDFormer: Breaking Residual Bottlenecks in Transformers via Multiway Dynamic Dense "
        "Connections",
        "Xiao, Da and Meng, Qingye and Li, Shengping and Yuan, Xingyuan",
        2025,
    ),
    "2512.24880": Paper(
        "mHC: Manifold-Constrained Hyper-Connections",
        "Xie, Zhenda and Wei, Yixuan and Cao, Huanqi and others",
        2025,
    ),
    "2602.08064": Paper(
        "SiameseNorm: Breaking the Barrier to Reconciling Pre/Post-Norm",
        "Li, Tianyu and Han, Dongchen and Cao, Zixuan and Huang, Haofeng and Zhou, Mengyu and "
        "others",
        2026,
    ),
    "2603.15031": Paper("Attention Residuals", "{Kimi Team}", 2026),
    "2605.06169": Paper(
        "Mean Mode Screaming: Mean--Variance Split Residuals for 1000-Layer Diffusion "
        "Transformers",
        "Lu, Pengqi",
        2026,
    ),
    "2605.18855": Paper(
        "Delta Attention Residuals", "Luo, Cheng and Cai, Zefan and Hu, Junjie", 2026
    ),
    "2605.20708": Paper(
        "Rethinking Cross-Layer Information Routing in Diffusion Transformers",
        "Xu, Chao and Li, Maohua and Li, Qirui and Xu, Yixuan and Zhou, Yanke and Li, Yunhe and "
        "Shen, Cuifeng and Tang, Hanlin and Liu, Kan and Lan, Tao and Qu, Lin and "
        "Zhang, Shao-Qun",
        2026,
    ),
    "2605.23259": Paper(
        "Multi-Gate Residuals",
        "Zheng, Zhizhan and Zhang, Feiyun and Liu, Shuchun and Xia, Tian and Liu, Xi and "
        "Hu, Dasheng and Zhou, Hongquan",
        2026,
    ),
}


# What is no routing, by the name to cite it under.
PARTS = {"sit": "arXiv:2401.08740", "repa": "arXiv:2410.06940"}


def cite(names: Iterable[str]) -> str:
    """BibTeX of the papers of routings, of `sit` and of `repa`, each once."""
    from darbench.registry import ROUTINGS

    entries: dict[str, str] = {}
    for name in names:
        paper = PARTS.get(name) or ROUTINGS.get(name).paper
        if paper:
            entries.setdefault(paper, bibtex(name, paper))
    return "\n\n".join(entries.values())


def bibtex(key: str, paper: str) -> str:
    """A BibTeX entry for `paper`, such as "arXiv:2605.20708"; without title if we lack it."""
    arxiv = paper.removeprefix("arXiv:")
    fields = {"eprint": arxiv, "archivePrefix": "arXiv", "url": f"https://arxiv.org/abs/{arxiv}"}
    if arxiv in PAPERS:
        known = PAPERS[arxiv]
        fields = {
            "title": f"{{{known.title}}}",
            "author": known.authors,
            "year": str(known.year),
        } | fields
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{key},", *lines, "}"])
