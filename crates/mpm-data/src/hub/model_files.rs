//! Which files of a folder are a model.

/// Weights that stand for each other: the first that a folder has is taken, and of an index the
/// files that it names.
const WEIGHTS: [&str; 8] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "diffusion_pytorch_model.bin",
    "diffusion_pytorch_model.bin.index.json",
];

/// Weights of further parts that stand beside those: an autoencoder, the judge of a painter's
/// pictures, adapters of low rank.
const FURTHER: [&str; 3] = [
    "vae.safetensors",
    "judge.safetensors",
    "adapter_model.safetensors",
];

/// Says that a folder has a part of the model in each of its folders.
const PIPELINE: &str = "model_index.json";

/// How the names of what is read beside the weights end.
const READ: [&str; 3] = [".json", ".jinja", ".txt"];

/// Chooses from the paths of a folder, relative to it, those that make up its model. Repositories
/// also have the same weights in other formats, states of training, pictures.
pub(super) fn model_files<'a>(paths: &[&'a str]) -> Vec<&'a str> {
    let is_pipeline = paths.contains(&PIPELINE);
    let paths = paths.iter().copied();
    let paths: Vec<_> = paths
        .filter(|path| is_pipeline || !path.contains('/'))
        .collect();
    let is_taken = |path: &&str| {
        let (folder, name) = split(path);
        let Some(rank) = WEIGHTS.iter().position(|known| *known == name) else {
            return FURTHER.contains(&name) || is_read(name);
        };
        let better = &WEIGHTS[..rank];
        let mut others = paths.iter().map(|path| split(path));
        !others.any(|(other, name)| other == folder && better.contains(&name))
    };
    paths.iter().copied().filter(is_taken).collect()
}

fn is_read(name: &str) -> bool {
    READ.iter().any(|end| name.ends_with(end)) && !name.ends_with(".index.json")
}

/// The folder and the name.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_come_in_one_format() {
        let files = [
            ".gitattributes",
            "README.md",
            "config.json",
            "consolidated.safetensors",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "onnx/config.json",
            "pytorch_model-00001-of-00002.bin",
            "pytorch_model.bin.index.json",
            "step-100/model.safetensors",
            "tokenizer.json",
            "vocab.txt",
        ];
        assert_eq!(
            model_files(&files),
            [
                "config.json",
                "model.safetensors.index.json",
                "tokenizer.json",
                "vocab.txt"
            ]
        );
        let old = ["pytorch_model.bin", "config.json", "tf_model.h5"];
        assert_eq!(model_files(&old), ["pytorch_model.bin", "config.json"]);
        let painter = ["config.json", "model.safetensors", "vae.safetensors"];
        assert_eq!(model_files(&painter), painter);
    }

    #[test]
    fn a_pipeline_has_its_parts_in_folders() {
        let files = [
            "model_index.json",
            "sd.safetensors",
            "tokenizer/merges.txt",
            "unet/config.json",
            "unet/diffusion_pytorch_model.bin",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "unet/diffusion_pytorch_model.safetensors",
            "vae/diffusion_pytorch_model.bin",
        ];
        assert_eq!(
            model_files(&files),
            [
                "model_index.json",
                "tokenizer/merges.txt",
                "unet/config.json",
                "unet/diffusion_pytorch_model.safetensors",
                "vae/diffusion_pytorch_model.bin"
            ]
        );
    }
}
