//! `i_ckpt_chat_*`: every container that `torch.save` wrote, loaded and run.

use burn::tensor::{DType, Tensor, TensorData};
use mpm_core::weights::{LoadOptions, Precision, WeightFile, load, save};
use mpm_llm::any::{AnyInput, AnyLlm};
use mpm_test_support::{Case, TestBackend, Tolerance, assert_data_close, cases, folder, report};
use mpm_vision::PictureEncoder;
use viscpm_chat::{ChatError, ChatModel, ModelConfig, VisCpmChat, checkpoint_keys};

use super::{
    config::config,
    input::{bounds, input},
};

/// f16 weights are exact in f32, so only the order of summation differs.
const FORWARD: Tolerance = Tolerance {
    absolute: 2e-5,
    relative: 2e-5,
    ..Tolerance::EXACT
};

#[test]
fn checkpoints_load_and_run() {
    let cases = cases("i_ckpt_chat_");
    for case in &cases {
        let mut loaded = 0;
        for name in case.json["files"].as_object().unwrap().keys() {
            let file = WeightFile::open(folder().join("i_checkpoints").join(name)).unwrap();
            if !file.tensors().contains_key("llm.input_embedding.weight") {
                // Parameters of mixed dtypes without a language model: no whole
                // model, but every tensor must be readable.
                file.tensors()
                    .values()
                    .for_each(|tensor| drop(tensor.read().unwrap()));
                continue;
            }
            check(case, load_f32(case, &file), name);
            kept_half(case, &file);
            loaded += 1;
        }
        assert!(loaded >= 3, "{}: {loaded} whole checkpoints", case.name);
        through_safetensors(case);
    }
    report(cases.len(), "i_ckpt_chat");
}

fn load_f32(case: &Case, file: &WeightFile) -> VisCpmChat<TestBackend> {
    let options = LoadOptions {
        keys: checkpoint_keys(),
        precision: Precision::Cast(DType::F32),
        ..LoadOptions::default()
    };
    load(
        config(case).init(&Default::default()).unwrap(),
        file,
        &options,
    )
    .unwrap()
}

fn check(case: &Case, model: VisCpmChat<TestBackend>, name: &str) {
    let pixels = case.tensor("in.pixel_values");
    let features = model.visual.encode(pixels).unwrap();
    let input = input(case);
    let any_input = AnyInput::CpmBee(input.clone());
    let embeddings = model.embed(&any_input, Some(features.clone()), &bounds(case));
    let AnyLlm::CpmBee(llm) = &model.llm else {
        panic!("the model is CPM-Bee");
    };
    let output = llm.forward_embeddings(embeddings.unwrap(), &input).unwrap();
    let assert_close = |key: &str, actual: Tensor<TestBackend, 3>| {
        let what = format!("{} {name} {key}", case.name);
        assert_data_close(&what, &actual.into_data(), &case.data(key), FORWARD);
    };
    assert_close("out.vision_hidden_states", features);
    assert_close("out.hidden_states", output.hidden_states);
    assert_close("out.logits", output.logits);
}

/// Unless asked otherwise, f16 stays f16.
fn kept_half(case: &Case, file: &WeightFile) {
    let options = LoadOptions {
        keys: checkpoint_keys(),
        ..Default::default()
    };
    let model: VisCpmChat<TestBackend> = config(case).init(&Default::default()).unwrap();
    let model = load(model, file, &options).unwrap();
    let stored = file.tensors()["llm.input_embedding.weight"].read().unwrap();
    assert_eq!(stored.dtype, DType::F16);
    let AnyLlm::CpmBee(llm) = &model.llm else {
        panic!("the model is CPM-Bee");
    };
    let kept: TensorData = llm
        .input_embedding
        .weight
        .float()
        .unwrap()
        .val()
        .into_data();
    assert_eq!(kept, stored);
    assert_eq!(model.visual.dtype(), DType::F16);
}

fn through_safetensors(case: &Case) {
    let name = case.json["files"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap();
    let file = WeightFile::open(folder().join("i_checkpoints").join(name)).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("chat.safetensors");
    save(
        &load_f32(case, &file),
        &path,
        &checkpoint_keys(),
        Precision::Cast(DType::F16),
    )
    .unwrap();
    let saved = WeightFile::open(&path).unwrap();
    check(case, load_f32(case, &saved), "safetensors");
}

#[test]
fn another_models_checkpoint_is_named() {
    let case = cases("i_ckpt_chat_").remove(0);
    let scratch = tempfile::tempdir().unwrap();
    let vocabulary = scratch.path().join("vocab.txt");
    let tokens = [
        "<pad>", "<unk>", "<mask>", "<sep>", "</n>", "</_>", "<s>", "</s>", "<root>", "<ans>",
    ];
    let words = (tokens.len()..config(&case).llm.vocab_size()).map(|index| format!("w{index}"));
    let lines: Vec<String> = tokens
        .iter()
        .map(ToString::to_string)
        .chain(words)
        .collect();
    std::fs::write(&vocabulary, lines.join("\n")).unwrap();

    let paint = scratch.path().join("paint.safetensors");
    let file = WeightFile::open(folder().join("i_checkpoints").join("chat_a.pt")).unwrap();
    let renamed = mpm_core::weights::KeyMap::new().rename("unet", "visual");
    save(
        &load_f32(&case, &file),
        &paint,
        &renamed,
        Precision::AsStored,
    )
    .unwrap();

    let model_config = ModelConfig::new(config(&case)).unwrap();
    let open = |path: &std::path::Path| {
        ChatModel::<TestBackend>::from_checkpoint(
            path,
            &vocabulary,
            model_config.clone(),
            &Default::default(),
            &LoadOptions::default(),
        )
    };
    assert!(matches!(
        open(&paint),
        Err(ChatError::PaintCheckpoint { .. })
    ));
    let error = open(&vocabulary).unwrap_err().to_string();
    assert!(error.contains("a text file"), "{error}");
}
