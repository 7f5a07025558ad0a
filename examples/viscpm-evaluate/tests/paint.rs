//! Figures of pictures, with tiny models of random weights.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod common;
#[allow(dead_code, reason = "the checks around a painter are not needed here")]
#[path = "../../viscpm-paint/tests/tiny/mod.rs"]
mod tiny;

use std::{collections::BTreeMap, fs, num::NonZeroUsize, path::Path};

use burn::{
    backend::Flex,
    module::{Module, Param},
    tensor::{DType, Tensor, backend::Backend},
};
use common::{Outcome, Sandbox};
use mpm_core::{
    nn::TorchLinear,
    weights::{KeyMap, LoadOptions, Precision, save},
};
use mpm_data::picture::Picture;
use mpm_llm::clip::{ClipText, ClipTextConfig};
use mpm_train::picture_metrics::{ClipScore, Retrieval};
use mpm_vision::{
    clip::{ClipVision, ClipVisionConfig},
    inception::{FEATURES, InceptionV3},
};
use serde_json::{Value, json};
use viscpm_evaluate::paint::{ClipModel, picture_files, picture_statistics};

const PROMPTS: [(&str, &str, &str); 5] = [
    ("red.png", "a red cat", "en"),
    ("red.png", "一只猫", "zh"),
    ("blue.png", "a dog", "en"),
    ("red.png", "red", "en"),
    ("green.png", "a cat", "en"),
];

fn draw(sandbox: &Sandbox, name: &str, [width, height]: [u32; 2], colour: [u8; 3]) {
    let pixels = colour.repeat((width * height) as usize);
    let picture = Picture::from_rgb(width, height, pixels).unwrap();
    sandbox.write(name, picture.encode_png(&[]).unwrap());
}

/// A folder with `clip/`, three pictures, and `pictures.jsonl`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    write_clip(&sandbox, "chinese_clip");
    draw(&sandbox, "red.png", [20, 30], [200, 10, 10]);
    draw(&sandbox, "green.png", [16, 16], [10, 180, 60]);
    draw(&sandbox, "blue.png", [16, 16], [30, 20, 220]);
    let entries = PROMPTS.map(
        |(image, prompt, language)| json!({"image": image, "prompt": prompt, "language": language}),
    );
    sandbox.lines("pictures.jsonl", &entries);
    sandbox
}

fn write_clip(sandbox: &Sandbox, family: &str) {
    let folder = sandbox.path("clip");
    if !folder.exists() {
        tiny::write_chinese_clip(&folder);
    }
    let mut config = sandbox.json("clip/config.json");
    config["model_type"] = family.into();
    sandbox.write("clip/config.json", config.to_string());
}

fn paint(sandbox: &Sandbox, more: &[&str]) -> Outcome {
    sandbox.run(&[&["paint", "--pictures", "pictures.jsonl"], more].concat())
}

#[test]
fn pictures_are_compared_with_their_prompts_by_language() {
    let sandbox = sandbox();
    let outcome = paint(
        &sandbox,
        &["--clip", "clip", "--batch", "2", "--json", "report.json"],
    );
    let table = outcome.text();
    let report = sandbox.json("report.json");
    let rows = report["clip"]["rows"].as_array().unwrap();
    let [english, chinese] = &rows[..] else {
        panic!("{table}");
    };
    assert_eq!(
        (&english["prompts"], &english["pictures"]),
        (&json!(4), &json!(3))
    );
    assert_eq!(
        (&chinese["prompts"], &chinese["pictures"]),
        (&json!(1), &json!(1))
    );

    // The same figures from the model's own embeddings.
    let device = Default::default();
    let options = LoadOptions::default();
    let model = ClipModel::<Flex>::open(&sandbox.path("clip"), &device, &options).unwrap();
    let open = |name: &str| Picture::open(sandbox.path(name)).unwrap();
    let embed = |names: &[&str]| {
        let pictures: Vec<_> = names.iter().map(|name| open(name)).collect();
        model.embed_pictures(&pictures, &device).unwrap()
    };
    let texts = model
        .embed_texts(&["a red cat", "a dog", "red", "a cat"])
        .unwrap();
    let mut score = ClipScore::new();
    let pairs = embed(&["red.png", "blue.png", "red.png", "green.png"]);
    score.add(pairs, texts.clone()).unwrap();
    let near = |found: &Value, expected: f64| {
        let found = found.as_f64().unwrap();
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    };
    near(&english["clip_score"], score.mean().unwrap());
    let pictures = embed(&["red.png", "blue.png", "green.png"]);
    let retrieval = Retrieval::of_owned(pictures, texts, &[0, 1, 0, 2]).unwrap();
    for (place, first) in [1, 5, 10].into_iter().enumerate() {
        near(
            &english["text_to_picture"][place],
            retrieval.text_to_picture.at(first).unwrap(),
        );
        near(
            &english["picture_to_text"][place],
            retrieval.picture_to_text.at(first).unwrap(),
        );
    }
    assert!(table.contains("text→picture R@1"), "{table}");
    // Alone it is always found.
    near(&chinese["text_to_picture"][0], 1.0);
}

/// Both towers of CLIP in one file.
#[derive(Module, Debug)]
struct Clip<B: Backend> {
    text_model: ClipText<B>,
    text_projection: TorchLinear<B>,
    vision_model: ClipVision<B>,
    visual_projection: TorchLinear<B>,
    logit_scale: Param<Tensor<B, 1>>,
}

/// A tokenizer of 64 tokens: letters within and at the ends of words, and the two around a text.
fn clip_tokenizer() -> Value {
    let mut vocabulary: Vec<String> = ('a'..='z').map(String::from).collect();
    vocabulary.extend(('a'..='z').map(|letter| format!("{letter}</w>")));
    vocabulary.extend((52..62).map(|number| format!("unused{number}")));
    vocabulary.extend(["<|startoftext|>", "<|endoftext|>"].map(str::to_owned));
    let vocabulary: BTreeMap<_, _> = vocabulary.into_iter().zip(0..).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": null, "decoder": null,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<|endoftext|>",
            "continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "fuse_unk": false,
            "byte_fallback": false, "vocab": vocabulary, "merges": [],
        },
    })
}

#[test]
fn the_other_family_is_recognised() {
    let sandbox = sandbox();
    let chinese = paint(&sandbox, &["--clip", "clip"]);
    let (text, vision) = (ClipTextConfig::tiny(), ClipVisionConfig::tiny());
    fs::create_dir(sandbox.path("openai")).unwrap();
    let config = json!({
        "model_type": "clip", "text_config": text, "vision_config": vision, "projection_dim": 12,
    });
    sandbox.write("openai/config.json", config.to_string());
    sandbox.write("openai/tokenizer.json", clip_tokenizer().to_string());
    let device = Default::default();
    let projection = |width| TorchLinear::new(width, 12, &device).without_bias();
    let model: Clip<Flex> = Clip {
        text_model: text.init(&device).unwrap(),
        text_projection: projection(text.hidden_size),
        vision_model: vision.init(&device).unwrap(),
        visual_projection: projection(vision.hidden_size),
        logit_scale: Param::from_tensor(Tensor::from_data([3.0], (&device, DType::F32))),
    };
    let weights = sandbox.path("openai/model.safetensors");
    save(&model, weights, &KeyMap::new(), Precision::AsStored).unwrap();
    let english = paint(&sandbox, &["--clip", "openai"]);
    assert_ne!(english.text(), chinese.text());
}

#[test]
fn features_of_pictures_of_any_size_have_their_mean() {
    let sandbox = Sandbox::new();
    draw(&sandbox, "a.png", [8, 4], [255, 0, 0]);
    draw(&sandbox, "b.PNG", [4, 4], [0, 255, 0]);
    draw(&sandbox, "c.png", [4, 4], [0, 255, 51]);
    sandbox.write("notes.txt", "no picture");
    let files = picture_files(&sandbox.path("")).unwrap();
    assert_eq!(files.len(), 3);
    let device = Default::default();
    for batch in [1, 2, 16] {
        let batch = NonZeroUsize::new(batch).unwrap();
        let statistics = picture_statistics(&files, batch, 3, &device, |pixels| {
            let [pictures, channels, height, width] = pixels.dims();
            let places: Tensor<Flex, 3> = pixels.reshape([pictures, channels, height * width]);
            Ok(places.mean_dim(2).reshape([pictures, channels]))
        })
        .unwrap();
        assert_eq!(statistics.count(), 3);
        for (mean, expected) in statistics.mean().iter().zip([1.0, 2.0, 0.2]) {
            assert!((mean - expected / 3.0).abs() < 1e-6, "{statistics:?}");
        }
    }
}

/// The covariance of two pictures' features is `d dᵀ`, and the root of a product of two such has the
/// trace `|d₁ · d₂|`: an oracle without a decomposition.
#[test]
fn two_pictures_are_as_far_from_two_real_ones_as_their_features() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("real")).unwrap();
    let [painted, real] = [["red.png", "blue.png"], ["real/a.png", "real/b.png"]];
    draw(&sandbox, painted[0], [20, 30], [200, 10, 10]);
    draw(&sandbox, painted[1], [16, 16], [30, 20, 220]);
    draw(&sandbox, real[0], [16, 16], [190, 40, 20]);
    draw(&sandbox, real[1], [12, 16], [10, 180, 60]);
    let entries = painted.map(|image| json!({"image": image, "prompt": "a cat"}));
    sandbox.lines("pictures.jsonl", &entries);
    let device = Default::default();
    let network = InceptionV3::<Flex>::new(&device);
    let weights = sandbox.path("inception.safetensors");
    save(&network, weights, &KeyMap::new(), Precision::AsStored).unwrap();

    let outcome = paint(
        &sandbox,
        &[
            "--inception",
            "inception.safetensors",
            "--reference",
            "real",
            "--json",
            "report.json",
        ],
    );
    let shown = outcome.text();
    assert!(
        shown.contains("(2 pictures against 2 real ones)"),
        "{shown}"
    );

    let one = NonZeroUsize::MIN;
    let features = |image: &str| -> Vec<f64> {
        let files = [sandbox.path(image)];
        let mean = picture_statistics(&files, one, FEATURES, &device, |pixels| {
            Ok(network.features(pixels)?)
        });
        mean.unwrap().mean().to_vec()
    };
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let [(m1, d1), (m2, d2)] = [painted, real].map(|[first, second]| {
        let (first, second) = (features(first), features(second));
        let pairs = || first.iter().zip(&second);
        let mean: Vec<f64> = pairs().map(|(a, b)| (a + b) / 2.0).collect();
        let half: Vec<f64> = pairs().map(|(a, b)| (a - b) / 2f64.sqrt()).collect();
        (mean, half)
    });
    let between: Vec<f64> = m1.iter().zip(&m2).map(|(a, b)| a - b).collect();
    let expected =
        dot(&between, &between) + dot(&d1, &d1) + dot(&d2, &d2) - 2.0 * dot(&d1, &d2).abs();
    let found = &sandbox.json("report.json")["frechet"]["distance"];
    let found = found.as_f64().unwrap();
    // The features of a batch and those of single pictures differ in the last digits of f32.
    let tolerance = 1e-4 * (dot(&d1, &d1) + dot(&d2, &d2));
    assert!(expected > 10.0 * tolerance, "{expected} {tolerance}");
    assert!((found - expected).abs() < tolerance, "{found} {expected}");
}

#[test]
fn what_is_not_there_is_painted_first() {
    let sandbox = sandbox();
    tiny::model()
        .save(sandbox.path("painter"), DType::F32)
        .unwrap();
    fs::remove_file(sandbox.path("blue.png")).unwrap();
    let red = fs::read(sandbox.path("red.png")).unwrap();
    let clip = ["--clip", "clip"];
    paint(&sandbox, &clip).fails(1, &["pictures.jsonl, line 3", "blue.png", "no such file"]);
    let outcome = paint(&sandbox, &[&clip[..], &["--model", "painter"]].concat());
    let table = outcome.text();
    assert!(table.contains("CLIP score"), "{table}");
    let painted = Picture::open(sandbox.path("blue.png")).unwrap();
    assert_eq!((painted.width(), painted.height()), (32, 32));
    // What was there has stayed.
    assert_eq!(fs::read(sandbox.path("red.png")).unwrap(), red);
    assert_eq!(paint(&sandbox, &clip).text(), table);

    // A folder of diffusers paints as well.
    fs::remove_file(sandbox.path("blue.png")).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let model = fixtures.join("s_sd1");
    let model = ["--model", model.to_str().unwrap()];
    paint(&sandbox, &[clip, model].concat()).text();
    let painted = Picture::open(sandbox.path("blue.png")).unwrap();
    assert_eq!((painted.width(), painted.height()), (16, 16));
}

#[test]
fn mistakes_are_named() {
    let sandbox = sandbox();
    paint(&sandbox, &[]).fails(2, &["--clip", "--inception"]);
    paint(&sandbox, &["--inception", "i.pth"]).fails(2, &["--reference"]);
    let clip = ["--clip", "clip"];
    paint(&sandbox, &["--clip", "missing"]).fails(1, &["missing: there is no such folder"]);
    write_clip(&sandbox, "siglip");
    paint(&sandbox, &clip).fails(1, &["clip: config.json", "\"siglip\"", "chinese_clip"]);
    // The files of the other family are not there.
    write_clip(&sandbox, "clip");
    paint(&sandbox, &clip).fails(1, &["clip"]);
    write_clip(&sandbox, "chinese_clip");

    fs::create_dir(sandbox.path("real")).unwrap();
    let frechet = ["--inception", "i.pth", "--reference", "real"];
    paint(&sandbox, &frechet).fails(1, &["real: there are no pictures"]);
    draw(&sandbox, "real/a.png", [4, 4], [1, 2, 3]);
    paint(&sandbox, &frechet).fails(1, &["i.pth"]);

    sandbox.write("green.png", "no picture");
    paint(&sandbox, &clip).fails(1, &["pictures.jsonl, line 5", "green.png", "not a picture"]);
    let good = json!({"image": "red.png", "prompt": "a red cat"});
    for (key, value, reason) in [
        (
            "language",
            json!("english"),
            "`english` is no language code",
        ),
        ("prompt", json!(""), "`prompt` is empty"),
        ("image", json!(3), "invalid type"),
        ("caption", json!("x"), "unknown field `caption`"),
    ] {
        let mut wrong = good.clone();
        wrong[key] = value;
        sandbox.lines("pictures.jsonl", &[good.clone(), wrong]);
        paint(&sandbox, &clip).fails(1, &["pictures.jsonl, line 2: ", reason]);
    }
    sandbox.write("pictures.jsonl", "");
    paint(&sandbox, &clip).fails(1, &["pictures.jsonl: there are no pictures in it"]);
}
