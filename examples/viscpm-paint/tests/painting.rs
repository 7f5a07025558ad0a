//! The library without the program: what a painter and a studio promise.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod tiny;

use std::{
    cell::{Cell, RefCell},
    ops::ControlFlow,
    sync::OnceLock,
};

use burn::{
    backend::Flex,
    module::{Module, Param},
    tensor::{DType, ElementConversion, Tensor, Tolerance},
};
use mpm_core::{streaming::StreamedLayers, weights::LoadOptions};
use mpm_data::picture::Picture;
use mpm_diffusion::{
    DiffusionError,
    noise::NoiseSource,
    pipeline::{Denoising, Start},
    schedule::ScheduleError,
    vae::Tiling,
};
use mpm_llm::{
    Family,
    bert::{BlockRule, PromptClassifier},
    template::TextTemplate,
};
use tiny::{LAX, STRICT};
use viscpm_paint::{
    InitialPicture, MAX_PICTURES, ModelConfig, Outcome, PaintError, PaintJob, PaintModel,
    PaintProgress, PaintRequest, Painter, PictureCheck, PictureChooser, PromptPart, PromptStates,
    PromptTemplate, Selection, Source, Studio, Verdict, from_pictures, to_pictures,
};

const PROMPT: &str = "a red cat";

fn model() -> &'static PaintModel<Flex> {
    static MODEL: OnceLock<PaintModel<Flex>> = OnceLock::new();
    MODEL.get_or_init(tiny::model)
}

fn states() -> PromptStates<Flex> {
    model().text_encoder.encode_pair(PROMPT, "a dog").unwrap()
}

fn request() -> PaintRequest {
    model().config.default_request(5)
}

fn go_on(_: PaintProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn paint(request: &PaintRequest, initial: Option<&InitialPicture>) -> Picture {
    let pictures = model()
        .painter
        .paint(&states(), request, initial, 0..1, go_on);
    pictures.unwrap().unwrap().remove(0)
}

fn drawn(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let pixels = places.flat_map(|(x, y)| pixel(x, y)).collect();
    Picture::from_rgb(width, height, pixels).unwrap()
}

fn start(strength: f64) -> InitialPicture {
    InitialPicture {
        picture: drawn(32, 32, |x, y| [(x * 8) as u8, (y * 8) as u8, 90]),
        strength,
        mask: None,
    }
}

fn difference(left: &Picture, right: &Picture) -> u8 {
    assert_eq!(left.pixels().len(), right.pixels().len());
    let pairs = left.pixels().iter().zip(right.pixels());
    pairs
        .map(|(left, right)| left.abs_diff(*right))
        .max()
        .unwrap()
}

fn largest<const D: usize>(tensor: Tensor<Flex, D>) -> f32 {
    tensor.abs().max().into_scalar().elem()
}

#[test]
fn guidance_1_asks_the_prompt_alone() {
    let unguided = PaintRequest {
        guidance: 1.0,
        ..request()
    };
    let expected = paint(&unguided, None);
    // What is no number would spoil the picture if it were looked at.
    let poisoned = PromptStates {
        negative: states().negative * f32::NAN,
        ..states()
    };
    let painter = &model().painter;
    let pictures = painter.paint(&poisoned, &unguided, None, 0..1, go_on);
    assert_eq!(pictures.unwrap().unwrap()[0], expected);
    let guided = painter.paint(&poisoned, &request(), None, 0..1, go_on);
    assert!(matches!(
        guided,
        Err(PaintError::Diffusion(DiffusionError::NonFinite { .. }))
    ));
    // The same prediction, from a batch of one and not of two.
    let text = painter.diffusion.read_text(states().prompt).unwrap();
    let latents = NoiseSource::new(1).tensor::<Flex>(0..1, 0, [4, 8, 8], &Default::default());
    let alone = painter
        .diffusion
        .unet
        .forward(latents.clone(), &[500.0], &text);
    let guided = painter
        .diffusion
        .guide(states().prompt, states().negative, 1.0, 1)
        .unwrap();
    let guided = guided.predict(&painter.diffusion.unet, latents, 500.0);
    assert_eq!(alone.unwrap().into_data(), guided.unwrap().into_data());
    assert_ne!(paint(&request(), None), expected);
}

#[test]
fn a_picture_does_not_depend_on_its_batch() {
    let paint = |pictures| {
        let painted = model()
            .painter
            .paint(&states(), &request(), None, pictures, go_on);
        painted.unwrap().unwrap()
    };
    let four = paint(0..4);
    assert_eq!(four.len(), 4);
    for (number, picture) in (0..).zip(&four) {
        let alone = &paint(number..number + 1)[0];
        assert!(difference(alone, picture) <= 1, "picture {number}");
        let others = four.iter().filter(|other| difference(other, picture) > 2);
        assert_eq!(others.count(), 3);
    }
    let none = model()
        .painter
        .paint(&states(), &request(), None, 3..3, go_on);
    assert!(matches!(none, Err(PaintError::NoPictures)));
}

#[test]
fn little_strength_stays_near_the_picture() {
    let request = PaintRequest {
        steps: 100,
        ..request()
    };
    let painter = &model().painter;
    // What the autoencoder alone makes of the picture, which is as near as it gets.
    let pixels = from_pictures::<Flex>(&[start(1.0).picture], &Default::default()).unwrap();
    // It is encoded with a draw of its own, for no step comes so late.
    let noise = NoiseSource::new(request.seed);
    let noise = noise.tensor::<Flex>(0..1, u64::MAX, [4, 8, 8], &Default::default());
    let latents = painter.vae.encode(pixels).unwrap().sample(noise);
    let near = to_pictures(painter.vae.decode(latents).unwrap()).unwrap();
    let far = |strength| {
        let painted = paint(&request, Some(&start(strength)));
        let pairs = painted.pixels().iter().zip(near[0].pixels());
        let sum: u32 = pairs.map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
        f64::from(sum) / painted.pixels().len() as f64
    };
    let (little, half, all) = (far(0.01), far(0.5), far(1.0));
    assert!(little < half && half < all, "{little} {half} {all}");
    assert!(little < all / 2.0, "{little} {all}");
}

#[test]
fn latents_outside_of_the_mask_stay_as_they_are() {
    let painter = &model().painter;
    let device = Default::default();
    let noise = |draw| NoiseSource::new(2).tensor::<Flex>(0..1, draw, [4, 8, 8], &device);
    let latents = noise(99);
    let changes: Vec<f32> = (0..64).map(|place| f32::from(place % 8 < 3)).collect();
    let mask = Tensor::<Flex, 1>::from_floats(&*changes, &device).reshape([1, 1, 8, 8]);
    let text = painter
        .diffusion
        .guide(states().prompt, states().negative, 3.0, 1);
    let plan = painter.plan(&request(), None).unwrap();
    let painted = Denoising {
        unet: &painter.diffusion.unet,
        plan: &plan,
        text: &text.unwrap(),
        start: Start::Picture {
            latents: latents.clone(),
            strength: 1.0,
            mask: Some(mask.clone()),
        },
    }
    .run(|draw| noise(draw as u64), |_| ControlFlow::Continue(()))
    .unwrap()
    .unwrap();
    let change = painted - latents;
    assert_eq!(largest(change.clone() * (1.0 - mask.clone())), 0.0);
    assert!(largest(change * mask) > 0.1);
}

#[test]
fn a_mask_keeps_what_is_dark() {
    let side = |lit: fn(u32) -> bool| {
        let masked = InitialPicture {
            mask: Some(drawn(32, 32, |x, _| [if lit(x) { 255 } else { 0 }; 3])),
            ..start(1.0)
        };
        paint(&request(), Some(&masked))
    };
    let whole = paint(&request(), Some(&start(1.0)));
    assert_eq!(side(|_| true), whole);
    // One light pixel changes its whole latent pixel, and 4 pixels are one of these.
    assert_eq!(side(|x| x == 5), side(|x| (4..8).contains(&x)));
    assert_ne!(side(|x| x == 5), side(|x| (4..9).contains(&x)));
    assert_ne!(side(|x| x < 16), whole);
}

#[test]
fn painting_can_be_broken_off_after_every_step() {
    for last in 1..=3 {
        let mut seen = Vec::new();
        let progress = |PaintProgress { step, steps }| {
            seen.push((step, steps));
            match step == last {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let painter = &model().painter;
        let pictures = painter.paint(&states(), &request(), None, 0..1, progress);
        assert!(pictures.unwrap().is_none());
        let expected: Vec<_> = (1..=last).map(|step| (step, 3)).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn broken_weights_are_found_at_the_step() {
    let mut painter = model().painter.clone();
    let weight = &mut painter.diffusion.unet.conv_out.weight;
    *weight = Param::from_tensor(weight.val() * f32::NAN);
    let error = painter.paint(&states(), &request(), None, 0..1, go_on);
    let Err(PaintError::Diffusion(DiffusionError::NonFinite { step, steps })) = error else {
        panic!("{error:?}")
    };
    assert_eq!((step, steps), (1, 3));
}

#[test]
fn pictures_of_no_numbers_are_errors_and_not_black() {
    let broken = |painter: &Painter<Flex>, initial: Option<&InitialPicture>| {
        let painted = painter.paint(&states(), &request(), initial, 0..1, go_on);
        let error = painted.unwrap_err();
        assert!(error.to_string().contains("--dtype f32"), "{error}");
        let PaintError::Diffusion(DiffusionError::NonFiniteAutoencoder { what }) = error else {
            panic!("{error}")
        };
        what
    };
    for spoilt in [f32::NAN, f32::INFINITY] {
        let mut painter = model().painter.clone();
        let weight = &mut painter.vae.decoder.conv_out.weight;
        *weight = Param::from_tensor(weight.val() * spoilt);
        assert_eq!(broken(&painter, None), "the decoded pixels");

        let mut painter = model().painter.clone();
        let weight = &mut painter.vae.encoder.conv_out.weight;
        *weight = Param::from_tensor(weight.val() * spoilt);
        let what = broken(&painter, Some(&start(0.5)));
        assert_eq!(what, "the latents of the picture to begin with");
        assert!(
            painter
                .paint(&states(), &request(), None, 0..1, go_on)
                .is_ok()
        );
    }
}

#[test]
fn sizes_are_multiples_of_a_latent_pixel() {
    for (width, height) in [(7, 32), (32, 30), (0, 32), (2052, 32), (32, usize::MAX)] {
        let request = PaintRequest {
            width,
            height,
            ..request()
        };
        let error = model().painter.plan(&request, None).unwrap_err();
        assert!(
            matches!(error, PaintError::Size { multiple: 4, .. }),
            "{error}"
        );
    }
    for (width, height) in [(4, 4), (12, 36), (64, 20)] {
        let request = PaintRequest {
            width,
            height,
            ..request()
        };
        let picture = paint(&request, None);
        let size = (picture.width() as usize, picture.height() as usize);
        assert_eq!(size, (width, height));
    }
}

#[test]
fn pictures_to_begin_with_have_the_size() {
    let plan = |initial: InitialPicture| model().painter.plan(&request(), Some(&initial));
    let wide = drawn(36, 32, |_, _| [0; 3]);
    let other = InitialPicture {
        picture: wide.clone(),
        ..start(0.5)
    };
    let masked = InitialPicture {
        mask: Some(wide),
        ..start(0.5)
    };
    for (initial, name) in [(other, "the picture to begin with"), (masked, "the mask")] {
        let error = plan(initial).unwrap_err();
        let PaintError::OtherSize { what, found, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((what, found), (name, [36, 32]));
    }
    for strength in [0.0, -0.5, 1.01, 2.0, f64::NAN, 0.3] {
        let error = plan(start(strength)).unwrap_err();
        assert!(
            matches!(
                error,
                PaintError::Diffusion(DiffusionError::Schedule(ScheduleError::Strength { .. }))
            ),
            "{error}"
        );
    }
    assert!(plan(start(0.34)).is_ok());
}

#[test]
fn tiles_fit_together() {
    let vae = &model().painter.vae;
    let device = Default::default();
    let latents = |side| NoiseSource::new(4).tensor::<Flex>(0..1, 0, [4, side, side], &device);
    let tiling = Tiling {
        tile: 16,
        overlap: 8,
    };
    let tiled = |side| vae.decode_tiled(latents(side), tiling).unwrap();
    let whole = |side| vae.decode(latents(side)).unwrap();
    assert_eq!(tiled(16).into_data(), whole(16).into_data());
    let (tiled, whole) = (tiled(40), whole(40));
    assert_eq!(tiled.dims(), whole.dims());
    // Neighbouring pixels differ at seams no more than they do within a tile.
    let steps = |picture: &Tensor<Flex, 4>| -> Vec<f32> {
        let width = picture.dims()[3];
        let right = picture.clone().narrow(3, 1, width - 1);
        let left = picture.clone().narrow(3, 0, width - 1);
        let columns = (right - left).abs().mean_dim(2).mean_dim(1);
        columns.into_data().iter().collect()
    };
    let (tiled, whole) = (steps(&tiled), steps(&whole));
    let usual = whole.iter().copied().fold(0.0, f32::max);
    for (column, step) in tiled.iter().enumerate() {
        assert!(
            *step < usual * 1.2,
            "column {column}: {step}, usually {usual}"
        );
    }
}

/// A studio with models around it, from a temporary folder.
fn studio(refuses: bool, threshold: f32) -> Studio<Flex> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    tiny::write_prompt_checker(&path("prompts"), refuses);
    tiny::write_safety_checker(&path("pictures"), threshold);
    tiny::write_chinese_clip(&path("clip"));
    let (device, options) = (Default::default(), LoadOptions::default());
    let rule = BlockRule::default();
    let mut studio = Studio::from(model().clone());
    studio.reader.check =
        Some(PromptClassifier::open(path("prompts"), rule, &device, &options).unwrap());
    studio.maker.check = Some(PictureCheck::open(path("pictures"), &device, &options).unwrap());
    studio.maker.chooser = Some(PictureChooser::open(path("clip"), &device, &options).unwrap());
    studio
}

fn job(selection: Selection) -> PaintJob {
    PaintJob {
        negative_prompt: "a dog".to_owned(),
        selection,
        ..PaintJob::new(PROMPT, request())
    }
}

#[test]
fn a_studio_paints_what_its_painter_paints() {
    let mut steps = Vec::new();
    let three = PaintJob {
        at_once: 2,
        ..job(Selection::first(3))
    };
    let outcome = studio(false, LAX).paint(&three, |PaintProgress { step, steps: all }| {
        assert_eq!(all, 6);
        steps.push(step);
        ControlFlow::Continue(())
    });
    let Outcome::Painted(pictures) = outcome.unwrap() else {
        panic!("nothing was painted")
    };
    assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
    assert_eq!(pictures.len(), 3);
    for (number, finished) in (0..).zip(&pictures) {
        let painter = &model().painter;
        let alone = painter.paint(&states(), &request(), None, number..number + 1, go_on);
        assert!(difference(&alone.unwrap().unwrap()[0], &finished.picture) <= 1);
        assert_eq!(
            (finished.number, &finished.verdict),
            (number, &Verdict::Shown)
        );
        assert!(finished.score.unwrap().is_finite());
    }
    let cancelled = studio(false, LAX).paint(&three, |_| ControlFlow::Break(()));
    assert!(matches!(cancelled.unwrap(), Outcome::Cancelled));
}

#[test]
fn pictures_are_handed_over_when_their_candidates_are_painted() {
    // Candidates of a picture lie in two groups.
    let job = PaintJob {
        at_once: 2,
        ..job(Selection::Best {
            pictures: 2,
            candidates: 3,
        })
    };
    let maker = studio(false, LAX).maker;
    let expected = maker.make(&states(), &job, go_on).unwrap().unwrap();
    let (steps, seen) = (Cell::new(0), RefCell::new(Vec::new()));
    let last = |last: usize| {
        let progress = |progress: PaintProgress| {
            steps.set(progress.step);
            match progress.step == last {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        seen.borrow_mut().clear();
        let flow = maker.make_each(&states(), &job, progress, |picture| {
            seen.borrow_mut().push((steps.get(), picture.number));
            Ok::<_, PaintError>(())
        });
        flow.unwrap()
    };
    let [first, second] = [&expected[0], &expected[1]].map(|picture| picture.number);
    assert!(last(9).is_break());
    assert_eq!(*seen.borrow(), [(6, first)]);
    assert!(last(usize::MAX).is_continue());
    assert_eq!(*seen.borrow(), [(6, first), (9, second)]);
}

#[test]
fn a_studio_refuses_with_a_reason() {
    let refused = studio(true, LAX).paint(&job(Selection::first(1)), go_on);
    let Outcome::Refused(refusal) = refused.unwrap() else {
        panic!("the prompt was painted")
    };
    assert_eq!(refusal.classification.labels[0].label, "LABEL_1");

    let black = studio(false, STRICT).paint(&job(Selection::first(2)), go_on);
    let Outcome::Painted(pictures) = black.unwrap() else {
        panic!("nothing was painted")
    };
    for finished in pictures {
        assert!(matches!(&finished.verdict, Verdict::BlackedOut(report) if report.is_flagged()));
        assert!(finished.picture.pixels().iter().all(|&level| level == 0));
        assert_eq!(
            (finished.picture.width(), finished.picture.height()),
            (32, 32)
        );
    }
}

#[test]
fn jobs_that_cannot_be_are_refused_before_anything_is_read() {
    let plain = Studio::from(model().clone());
    let mut poisoned = plain.clone();
    // Whoever asks the language model gets an error of another kind.
    let mut deaf = model().text_encoder.clone();
    deaf.prompts.max_tokens = 0;
    poisoned.reader.text_encoder = deaf.into();
    let best = |pictures, candidates| {
        job(Selection::Best {
            pictures,
            candidates,
        })
    };
    let again = |numbers: &[u64], painted| {
        job(Selection::Again {
            numbers: numbers.to_vec(),
            painted,
            blacked_out: Vec::new(),
        })
    };
    let none_at_once = PaintJob {
        at_once: 0,
        ..job(Selection::first(1))
    };
    for job in [
        best(0, 1),
        best(1, 0),
        best(MAX_PICTURES + 1, 1),
        best(u64::MAX, u64::MAX),
        best(MAX_PICTURES, 2),
        again(&[], 1),
        again(&[0], u64::MAX),
        none_at_once,
    ] {
        let error = poisoned.paint(&job, go_on).unwrap_err();
        assert!(matches!(error, PaintError::Count { .. }), "{error}");
        let checked = job.check(&model().config.settings(), &model().text_encoder.prompts);
        assert!(matches!(checked, Err(PaintError::Count { .. })));
    }
    let error = poisoned.paint(&again(&[4], 4), go_on).unwrap_err();
    assert!(matches!(error, PaintError::Recipe { .. }), "{error}");
    let error = plain.paint(&best(1, 2), go_on).unwrap_err();
    assert!(
        matches!(error, PaintError::NoChooser { candidates: 2 }),
        "{error}"
    );
    let empty = PaintJob::new(" ", request());
    let error = plain.paint(&empty, go_on).unwrap_err();
    assert!(matches!(error, PaintError::EmptyPrompt), "{error}");
}

#[test]
fn a_template_can_leave_the_texts_own_states_out() {
    let parts = [("caption", "{text}"), ("objects", "what?")];
    let with = |states| {
        let mut encoder = model().text_encoder.clone();
        encoder.prompts.template = PromptTemplate {
            parts: TextTemplate::parts(&parts),
            states,
        };
        encoder
    };
    let (all, behind) = (with(PromptPart::All), with(PromptPart::BehindText));
    let texts = ["cat", "a red cat on a red cat"];
    let states = behind.encode(&texts).unwrap();
    let [rows, seq, width] = states.dims();
    assert_eq!(rows, 2);
    for (row, text) in texts.into_iter().enumerate() {
        let whole = all.encode(&[text]).unwrap();
        let length = whole.dims()[1];
        assert!(seq < length, "{seq} of {length}");
        let last = whole.slice([0..1, length - seq..length, 0..width]);
        // The longer row is alone as it is in the batch; the shorter one was padded.
        states
            .clone()
            .narrow(0, row, 1)
            .into_data()
            .assert_approx_eq::<f32>(&last.into_data(), Tolerance::absolute(1e-5));
    }
    // No word of the text is among what is read, but all of it speaks from there.
    let difference = states.clone().narrow(0, 0, 1) - states.narrow(0, 1, 1);
    assert!(difference.abs().max().into_scalar() > 1e-3);
}

#[test]
fn templates_without_a_place_for_the_text_are_refused() {
    for (parts, states, part) in [
        (&[("caption", "")][..], PromptPart::All, "0 places"),
        (
            &[("a", "{text}"), ("b", "{text}")],
            PromptPart::All,
            "2 places",
        ),
        (
            &[("a", "{text}")],
            PromptPart::BehindText,
            "write something behind it",
        ),
    ] {
        let config = ModelConfig {
            prompt: PromptTemplate {
                parts: TextTemplate::parts(parts),
                states,
            },
            ..model().config.clone()
        };
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_painter_behind_a_llama_is_saved_and_opened() {
    let model = tiny::llama_model();
    let scratch = tempfile::tempdir().unwrap();
    model.save(scratch.path(), DType::F32).unwrap();
    let source = Source::folder(scratch.path()).unwrap();
    assert_eq!(source.config.llm, model.config.llm);
    assert_eq!(source.config.vocabulary.to_str(), Some("tokenizer.json"));
    source.check::<Flex>(&Default::default()).unwrap();

    let paint = |model: PaintModel<Flex>| {
        let job = PaintJob::new("a picture", model.config.default_request(5));
        match Studio::from(model).paint(&job, go_on).unwrap() {
            Outcome::Painted(mut pictures) => pictures.remove(0).picture,
            other => panic!("{other:?}"),
        }
    };
    let open = |options: &LoadOptions| {
        PaintModel::<Flex>::open(scratch.path(), &Default::default(), options).unwrap()
    };
    let expected = paint(model.clone());
    assert_eq!(paint(open(&LoadOptions::default())), expected);
    // As much as is kept for what is computed, and a byte less than the language model takes.
    let bytes = 4 * model.text_encoder.llm.num_params() as u64;
    let mut waiting = open(&LoadOptions {
        memory_limit: Some(400_000_000 + bytes - 1),
        ..LoadOptions::default()
    });
    assert_eq!(waiting.text_encoder.llm.layer_list().waiting.len(), 3);
    assert_eq!(paint(waiting), expected);
}

#[test]
fn a_llama_reads_prompts_in_its_own_template() {
    let model = tiny::llama_model();
    let encoder = |line: &str, states| {
        let mut encoder = model.text_encoder.clone();
        encoder.prompts.template = PromptTemplate {
            parts: TextTemplate::Line(line.to_owned()),
            states,
        };
        encoder
    };
    let texts = ["picture", "the picture in the picture"];
    let behind = encoder("In {text}?\n", PromptPart::BehindText);
    let states = behind.encode(&texts).unwrap();
    assert_eq!(states.dims(), [2, 2, 16]);
    let difference = states.clone().narrow(0, 0, 1) - states.narrow(0, 1, 1);
    assert!(largest(difference) > 1e-3);
    // With what the tokenizer puts before a text.
    let all = encoder("{text}", PromptPart::All).encode(&["picture"]);
    let text = all.unwrap().dims()[1];
    assert_eq!(
        encoder("{text}?", PromptPart::All)
            .encode(&["picture"])
            .unwrap()
            .dims()[1],
        text + 1
    );

    let long = "picture ".repeat(300);
    let error = behind.encode(&[&long]).unwrap_err();
    assert!(matches!(error, PaintError::PromptTooLong { .. }), "{error}");
    let config = ModelConfig {
        prompt: PromptTemplate::default_of(Family::CpmBee),
        ..model.config.clone()
    };
    let error = config.validate().unwrap_err().to_string();
    assert!(
        error.contains("`prompt.parts`") && error.contains(r#""{text}\n""#),
        "{error}"
    );
}
