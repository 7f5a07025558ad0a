//! Fixtures: a `.json` with configurations and a `.safetensors` with tensors.

use std::{
    fs,
    path::{Path, PathBuf},
};

use burn::tensor::{Tensor, TensorData, backend::Backend};
use mpm_core::weights::WeightFile;
use mpm_llm::cpm_bee::{CpmBeeConfig, CpmBeeInput};
use mpm_vision::{Beit3Config, MuffinConfig};
use serde_json::Value;
use viscpm_chat::VisCpmChatConfig;

pub fn folder() -> PathBuf {
    std::env::var_os("MPM_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures"),
        PathBuf::from,
    )
}

pub struct Case {
    pub name: String,
    pub json: Value,
    pub tensors: WeightFile,
}

/// Every case whose name begins with `prefix`; their number is printed.
pub fn cases(prefix: &str) -> Vec<Case> {
    let folder = folder();
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(".safetensors")?.to_string()))
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no {prefix}* in {}", folder.display());
    println!("parity: {} cases ({prefix}*)", names.len());
    names
        .into_iter()
        .map(|name| {
            let json = fs::read(folder.join(format!("{name}.json"))).unwrap();
            Case {
                json: serde_json::from_slice(&json).unwrap(),
                tensors: WeightFile::open(folder.join(format!("{name}.safetensors"))).unwrap(),
                name,
            }
        })
        .collect()
}

impl Case {
    pub fn config(&self) -> VisCpmChatConfig {
        let llm: CpmBeeConfig = serde_json::from_value(self.json["llm_config"].clone()).unwrap();
        let beit = &self.json["beit_config"];
        let number = |key: &str| beit[key].as_u64().unwrap() as usize;
        let encoder = Beit3Config::new(
            number("encoder_embed_dim"),
            number("encoder_ffn_embed_dim"),
            number("encoder_attention_heads"),
            number("encoder_layers"),
        )
        .with_image_size(number("img_size"))
        .with_patch_size(number("patch_size"))
        .with_max_positions(number("max_source_positions"));
        let queries = self.json["query_num"].as_u64().unwrap() as usize;
        VisCpmChatConfig {
            visual: MuffinConfig::new(encoder, llm.dim_model).with_num_queries(queries),
            llm,
        }
    }

    pub fn data(&self, key: &str) -> TensorData {
        self.tensors
            .tensors()
            .get(key)
            .unwrap_or_else(|| panic!("{} lacks {key}", self.name))
            .read()
    }

    pub fn tensor<B: Backend, const D: usize>(&self, key: &str) -> Tensor<B, D> {
        Tensor::from_data(self.data(key), &Default::default())
    }

    pub fn scalar(&self, key: &str) -> f64 {
        self.data(key).convert::<f64>().to_vec().unwrap()[0]
    }

    pub fn ints(&self, key: &str) -> Vec<i32> {
        self.data(key).convert::<i32>().to_vec().unwrap()
    }

    pub fn input(&self) -> CpmBeeInput {
        let shape = self.data("in.input_ids").shape;
        CpmBeeInput {
            batch: shape[0],
            seq_len: shape[1],
            ids: self.ints("in.input_ids"),
            sub_ids: self.ints("in.input_id_subs"),
            length: self.ints("in.length"),
            context: self.ints("in.context").iter().map(|&c| c != 0).collect(),
            sample_ids: self.ints("in.sample_ids"),
            num_segments: self.ints("in.num_segments"),
            segment_ids: self.ints("in.segment_ids"),
            segment_rel_offset: self.ints("in.segment_rel_offset"),
            segment_rel: self.ints("in.segment_rel"),
            span: self.ints("in.span"),
            ext_table_ids: self.ints("in.ext_table_ids"),
            ext_table_sub: self.ints("in.ext_table_sub"),
        }
    }

    /// For each row the slots of its pictures; `in.image_bound` is
    /// `[batch, pictures, 2]`.
    pub fn bounds(&self) -> Vec<Vec<std::ops::Range<usize>>> {
        let shape = self.data("in.image_bound").shape;
        let pairs: Vec<_> = self
            .ints("in.image_bound")
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&[start, end]| start as usize..end as usize)
            .collect();
        pairs.chunks(shape[1]).map(<[_]>::to_vec).collect()
    }
}

/// Asserts `|ours − theirs| ≤ tolerance · (1 + |theirs|)` for every element.
pub fn assert_close<B: Backend, const D: usize>(
    what: &str,
    ours: Tensor<B, D>,
    theirs: Tensor<B, D>,
    tolerance: f64,
) {
    assert_eq!(ours.dims(), theirs.dims(), "{what}: shape");
    let ours = ours.into_data().convert::<f64>().to_vec::<f64>().unwrap();
    let theirs = theirs.into_data().convert::<f64>().to_vec::<f64>().unwrap();
    let worst = ours
        .iter()
        .zip(&theirs)
        .map(|(a, b)| (a - b).abs() / (1.0 + b.abs()))
        .fold(0.0, |worst: f64, error| {
            if error.is_nan() {
                f64::NAN
            } else {
                worst.max(error)
            }
        });
    assert!(
        worst <= tolerance,
        "{what}: off by {worst:e}, tolerance {tolerance:e}"
    );
}
