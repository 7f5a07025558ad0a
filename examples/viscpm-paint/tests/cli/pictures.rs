//! What is painted, and how the options change it.

use mpm_data::picture::Picture;
use serde_json::Value;

use crate::{
    sandbox::{Sandbox, difference, part},
    tiny,
};

/// Rounding differs with the number of pictures that are denoised at the same time.
const ROUNDING: u8 = 1;

#[test]
fn a_prompt_becomes_a_picture_that_knows_how_it_was_made() {
    let sandbox = Sandbox::new();
    let picture = sandbox.painted("cat.png", &["--negative", "一只狗"]);
    assert_eq!((picture.width(), picture.height()), (32, 32));
    let levels = picture.pixels();
    assert!(levels.iter().max().unwrap() - levels.iter().min().unwrap() > 50);
    let texts = sandbox.texts("cat.png");
    for (keyword, text) in [
        ("prompt", "a red cat"),
        ("negative_prompt", "一只狗"),
        ("seed", "5"),
        ("width", "32"),
        ("height", "32"),
        ("steps", "3"),
        ("scheduler", "dpm++2m"),
        ("guidance", "3.0"),
        ("pictures", "[0]"),
        ("model", "model"),
        ("backend", "flex"),
        ("dtype", "stored"),
    ] {
        assert_eq!(texts[keyword], text, "{keyword}");
    }
    assert_eq!(
        sandbox.names(""),
        ["cat.png", "mask.png", "model", "start.png"]
    );
}

#[test]
fn each_setting_makes_another_picture_and_none_the_same() {
    let sandbox = Sandbox::new();
    let first = sandbox.painted("a.png", &[]);
    assert_eq!(sandbox.painted("b.png", &[]), first);
    let spelt_out = [
        "--steps",
        "3",
        "--scheduler",
        "dpm++2m",
        "--guidance",
        "3",
        "--size",
        "32x32",
    ];
    assert_eq!(sandbox.painted("c.png", &spelt_out), first);
    for (place, arguments) in [
        &["--steps", "5"][..],
        &["--scheduler", "euler-a", "--steps", "3"],
        &["--guidance", "9"],
        &["--guidance", "-2.5"],
        &["--negative", "a dog"],
        &["--negative", "-"],
    ]
    .into_iter()
    .enumerate()
    {
        let other = sandbox.painted(&format!("{place}.png"), arguments);
        assert!(difference(&first, &other) > 2, "{arguments:?}");
    }
    let paint = |prompt: &str, seed: &str| {
        let arguments = [prompt, "--seed", seed, "--out", "d.png", "--force"];
        assert_eq!(sandbox.run(&arguments).code, Some(0));
        sandbox.picture("d.png")
    };
    assert_eq!(paint("a red cat", "5"), first);
    assert!(difference(&first, &paint("a red cat", "6")) > 2);
    assert!(difference(&first, &paint("一只猫", "5")) > 2);
}

#[test]
fn every_sampler_paints_in_its_own_number_of_steps() {
    let sandbox = Sandbox::new();
    for (name, steps) in [
        ("ddpm", 50),
        ("ddim", 50),
        ("euler", 30),
        ("euler-a", 30),
        ("dpm++2m", 3),
        ("dpm++2m-karras", 20),
        ("lcm", 4),
    ] {
        let file = format!("{name}.png");
        sandbox.painted(&file, &["--scheduler", name]);
        assert_eq!(sandbox.texts(&file)["steps"], steps.to_string(), "{name}");
    }
}

#[test]
fn sizes_need_not_be_square() {
    let sandbox = Sandbox::new();
    for (size, expected) in [("64x48", (64, 48)), ("20", (20, 20)), ("4x36", (4, 36))] {
        let picture = sandbox.painted(&format!("{size}.png"), &["--size", size]);
        assert_eq!((picture.width(), picture.height()), expected);
    }
}

#[test]
fn a_seed_is_chosen_and_told() {
    let sandbox = Sandbox::new();
    let paint = |out: &str| sandbox.run(&["a red cat", "--out", out]);
    let told = paint("a.png");
    assert_eq!(told.code, Some(0), "{told:?}");
    let seed = told.stderr.strip_prefix("seed ").unwrap().trim_end();
    assert_eq!(sandbox.texts("a.png")["seed"], seed);
    let again = ["a red cat", "--seed", seed, "--out", "b.png"];
    assert_eq!(sandbox.run(&again).stderr, "");
    assert_eq!(sandbox.picture("a.png"), sandbox.picture("b.png"));
    assert_ne!(paint("c.png").stderr, told.stderr);
}

#[test]
fn several_pictures_are_those_of_separate_runs() {
    let sandbox = Sandbox::new();
    let sheet = sandbox.painted("sheet.png", &["--n", "10", "--at-once", "3"]);
    // Eight in a row, and the rest of the second row is black.
    assert_eq!((sheet.width(), sheet.height()), (8 * 32, 2 * 32));
    assert!(part(&sheet, 2, 1).pixels().iter().all(|&level| level == 0));
    assert_eq!(
        sandbox.texts("sheet.png")["pictures"],
        "[0,1,2,3,4,5,6,7,8,9]"
    );

    let arguments = ["--n", "10", "--separate", "--at-once", "1", "--json"];
    let objects = sandbox.paint("cat.png", &arguments).objects();
    let files: Vec<&str> = objects
        .iter()
        .map(|object| object["file"].as_str().unwrap())
        .collect();
    assert_eq!((files[0], files[9]), ("cat-01.png", "cat-10.png"));
    let mut pictures: Vec<Picture> = Vec::new();
    for (place, file) in files.into_iter().enumerate() {
        let picture = sandbox.picture(file);
        let whole = part(&sheet, place as u32 % 8, place as u32 / 8);
        assert!(difference(&picture, &whole) <= ROUNDING, "{file}");
        assert_eq!(sandbox.texts(file)["pictures"], format!("[{place}]"));
        for other in &pictures {
            assert!(difference(other, &picture) > 2);
        }
        pictures.push(picture);
    }
    assert_eq!(pictures[0], sandbox.painted("one.png", &[]));
}

#[test]
fn little_memory_gives_the_same_picture() {
    let sandbox = Sandbox::new();
    let arguments = ["--n", "2", "--negative", "a dog"];
    let usual = sandbox.painted("a.png", &arguments);
    let low = sandbox.painted("b.png", &[&arguments[..], &["--low-memory"]].concat());
    assert_eq!(usual, low);
}

#[test]
fn a_picture_to_begin_with_stays_as_far_as_the_strength_lets_it() {
    let sandbox = Sandbox::new();
    let from = |out: &str, more: &[&str]| {
        let start = ["--init-image", "start.png", "--steps", "20"];
        sandbox.painted(out, &[&start, more].concat())
    };
    let little = from("little.png", &["--strength", "0.05"]);
    let usual = from("usual.png", &[]);
    let all = from("all.png", &["--strength", "1"]);
    assert!(difference(&little, &usual) > 2 && difference(&usual, &all) > 2);
    let texts = sandbox.texts("usual.png");
    assert_eq!(
        (&*texts["strength"], &*texts["init_image"]),
        ("0.8", "start.png")
    );
    assert_eq!(texts["init_image_sha256"].len(), 64);
    assert!(!texts.contains_key("mask"));
    // The size is that of the picture.
    sandbox.draw("wide.png", [40, 24], |x, y| [x as u8, y as u8, 200]);
    let wide = sandbox.painted("w.png", &["--init-image", "wide.png"]);
    assert_eq!((wide.width(), wide.height()), (40, 24));
}

#[test]
fn a_mask_says_what_changes() {
    let sandbox = Sandbox::new();
    sandbox.draw("all.png", [32, 32], |_, _| [255; 3]);
    sandbox.draw("none.png", [32, 32], |_, _| [0; 3]);
    let masked = |out: &str, mask: &[&str]| {
        let start = [
            "--init-image",
            "start.png",
            "--steps",
            "4",
            "--strength",
            "1",
        ];
        sandbox.painted(out, &[&start, mask].concat())
    };
    let unmasked = masked("a.png", &[]);
    assert_eq!(masked("b.png", &["--mask", "all.png"]), unmasked);
    let half = masked("c.png", &["--mask", "mask.png"]);
    let none = masked("d.png", &["--mask", "none.png"]);
    assert!(difference(&half, &unmasked) > 2 && difference(&half, &none) > 2);
    assert_eq!(sandbox.texts("c.png")["mask"], "mask.png");
}

#[test]
fn json_has_the_file_and_its_circumstances() {
    let sandbox = Sandbox::new();
    let arguments = [
        "--json",
        "--n",
        "2",
        "--negative",
        "一只狗",
        "--init-image",
        "start.png",
    ];
    let objects = sandbox.paint("cat.png", &arguments).objects();
    let [object] = &objects[..] else {
        panic!("{objects:?}")
    };
    for (key, value) in [
        ("file", Value::from("cat.png")),
        ("prompt", "a red cat".into()),
        ("negative_prompt", "一只狗".into()),
        ("seed", 5.into()),
        ("width", 32.into()),
        ("steps", 3.into()),
        ("scheduler", "dpm++2m".into()),
        ("guidance", 3.0.into()),
        ("pictures", vec![0, 1].into()),
        ("strength", 0.8.into()),
        ("refused", Value::Null),
        ("line", Value::Null),
    ] {
        assert_eq!(object[key], value, "{key}");
    }
    assert!(object["seconds"].as_f64().unwrap() > 0.0);
    // A random seed is in the object and not told elsewhere.
    let outcome = sandbox.run(&["a red cat", "--out", "b.png", "--json"]);
    assert!(outcome.objects()[0]["seed"].is_u64());
}

#[test]
fn the_best_of_several_candidates_is_kept() {
    let sandbox = Sandbox::new();
    tiny::write_chinese_clip(&sandbox.path("clip"));
    let all = sandbox.paint(
        "all.png",
        &["--n", "6", "--separate", "--clip", "clip", "--json"],
    );
    let scores: Vec<f64> = all
        .objects()
        .iter()
        .map(|object| object["scores"][0].as_f64().unwrap())
        .collect();
    let best = |candidates: std::ops::Range<usize>| {
        candidates
            .max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
            .unwrap()
    };
    let best = [best(0..3), best(3..6)];
    let arguments = ["--n", "2", "--rerank", "3", "--clip", "clip", "--json"];
    let objects = sandbox.paint("best.png", &arguments).objects();
    assert_eq!(objects[0]["pictures"], Value::from(best.to_vec()));
    let sheet = sandbox.picture("best.png");
    for (place, number) in best.into_iter().enumerate() {
        let picture = sandbox.picture(&format!("all-{}.png", number + 1));
        assert!(difference(&part(&sheet, place as u32, 0), &picture) <= ROUNDING);
    }
    assert!(scores.iter().any(|&score| score != scores[0]), "{scores:?}");
    sandbox
        .paint("c.png", &["--rerank", "3"])
        .fails(2, &["--clip"]);
}

#[test]
fn any_text_can_be_painted() {
    let sandbox = Sandbox::new();
    for prompt in [
        "1 < 2",
        "<ans>",
        "<image>",
        "🐱👩‍👩‍👧 é\u{301}",
        "a\nb\tc",
        "'\"\\",
    ] {
        let outcome = sandbox.run(&[prompt, "--seed", "1", "--out", "a.png", "--force"]);
        assert_eq!(
            (outcome.code, &*outcome.stderr),
            (Some(0), ""),
            "{prompt:?}"
        );
        assert_eq!(sandbox.texts("a.png")["prompt"], prompt);
    }
    let outcome = sandbox.run(&["--seed", "1", "--out", "b.png", "--", "-3 degrees"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn weights_may_be_of_any_dtype() {
    let sandbox = Sandbox::new();
    let full = sandbox.painted("a.png", &["--dtype", "f32"]);
    for dtype in ["f16", "bf16"] {
        let picture = sandbox.painted(&format!("{dtype}.png"), &["--dtype", dtype]);
        assert_eq!(sandbox.texts(&format!("{dtype}.png"))["dtype"], dtype);
        let differ = difference(&full, &picture);
        assert!(differ < 128, "{differ}");
    }
}
