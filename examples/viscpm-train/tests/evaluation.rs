//! What models are measured on.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "not every test uses every helper")]

mod common;

use std::fs;

use burn::backend::Flex;
use common::Workplace;
use mpm_train::{DataSource, recipe::Recipe};
use serde_json::{Value, json};
use viscpm_train::{DataShare, Stage, chat::ChatStage, paint::PaintStage};

/// More batches than any evaluation here has.
const MANY: usize = 9;

/// What a stage's model is measured on, and again from the beginning.
fn measured<S: Stage<Flex>>(recipe: &Value) -> [Vec<S::Batch>; 2] {
    let recipe = Recipe::from_json(&recipe.to_string()).unwrap();
    let stage = S::open(&recipe, &Default::default()).unwrap();
    let evaluation = recipe.evaluation.as_ref().unwrap();
    let share = DataShare::evaluation(&recipe, evaluation).unwrap();
    let mut source = stage.source(&share).unwrap();
    let start = source.position();
    [(); 2].map(|()| {
        source.seek(&start).unwrap();
        let batches = std::iter::from_fn(|| source.next_batch().unwrap());
        batches.take(MANY).collect()
    })
}

#[test]
fn as_many_samples_are_measured_as_asked_for_in_the_order_of_their_file() {
    let workplace = Workplace::new();
    let captions = ["one", "two", "three", "four", "five", "six", "seven"];
    let lines = (0..).zip(captions).map(|(number, caption)| {
        let line = json!({"image": format!("{number}.png"), "caption": caption});
        format!("{line}\n")
    });
    let file = workplace.path("held-out.jsonl");
    fs::write(&file, lines.collect::<String>()).unwrap();
    let mut recipe = workplace.recipe();
    recipe["evaluation"]["mix"][0]["dataset"]["files"] = json!([file]);
    recipe["evaluation"]["samples"] = json!(5);
    for batches in measured::<ChatStage<Flex>>(&recipe) {
        let answers = |batch: &viscpm_train::chat::ChatBatch| -> Vec<String> {
            let texts = batch.texts.iter();
            texts.map(|text| text.answer.clone()).collect()
        };
        let answers: Vec<_> = batches.iter().map(answers).collect();
        let expected = [&captions[..2], &captions[2..4], &captions[4..5]];
        assert_eq!(answers, expected);
    }
}

#[test]
fn a_painter_is_measured_at_the_size_that_its_run_ends_with() {
    let workplace = Workplace::new();
    let mut recipe = workplace.paint_recipe();
    let mut sizes = |steps: usize| -> Vec<u32> {
        recipe["steps"] = json!(steps);
        let [batches, _] = measured::<PaintStage<Flex>>(&recipe);
        let pictures = batches.iter().flat_map(|batch| &batch.pictures);
        pictures.map(|picture| picture.width()).collect()
    };
    assert_eq!(sizes(8), [64; 4]);
    // It ends with the first of its two sizes.
    assert_eq!(sizes(4), [32; 4]);
}
