//! The names and shapes of the published Stable Diffusions, in both layouts: `s_keys_*`.

use std::{collections::BTreeMap, fs::File, io::Write, path::Path};

use burn::backend::Flex;
use mpm_core::weights::module_keys;
use mpm_diffusion::schedule::PredictionType;
use mpm_llm::clip::ClipText;
use mpm_test_support::report;
use serde_json::{Map, Value, json};
use viscpm_paint::{PaintError, StableDiffusionConfig, StableDiffusionSource};

const KEYS_1_5: &str = include_str!("../../../../tests/fixtures/s_keys_1_5.json");
const KEYS_2_1: &str = include_str!("../../../../tests/fixtures/s_keys_2_1.json");

type Shapes = BTreeMap<String, Vec<usize>>;

fn published() -> [(Value, StableDiffusionConfig); 2] {
    let parse = |json| serde_json::from_str(json).unwrap();
    [
        (
            parse(KEYS_1_5),
            StableDiffusionConfig::stable_diffusion_1_5(),
        ),
        (
            parse(KEYS_2_1),
            StableDiffusionConfig::stable_diffusion_2_1(),
        ),
    ]
}

/// The names of a tree, joined by dots.
fn flat(tree: &Value) -> Shapes {
    fn walk(path: &str, node: &Value, shapes: &mut Shapes) {
        match node {
            Value::Object(branches) => {
                for (name, branch) in branches {
                    let path = match path {
                        "" => name.clone(),
                        _ => format!("{path}.{name}"),
                    };
                    walk(&path, branch, shapes);
                }
            }
            shape => {
                let shape = serde_json::from_value(shape.clone()).unwrap();
                shapes.insert(path.to_owned(), shape);
            }
        }
    }
    let mut shapes = Shapes::new();
    walk("", tree, &mut shapes);
    shapes
}

#[test]
fn folders_have_the_names_of_diffusers() {
    let device = Default::default();
    let published = published();
    for (lists, config) in &published {
        let unet = config.unet.init::<Flex>(&device).unwrap();
        assert_eq!(module_keys(&unet), flat(&lists["unet"]));
        let vae = config.vae.init::<Flex>(&device).unwrap();
        assert_eq!(module_keys(&vae), flat(&lists["vae"]));
        let text = config.text_encoder.init::<Flex>(&device).unwrap();
        let keys = ClipText::<Flex>::checkpoint_keys();
        let named = |(path, shape): (String, _)| (keys.to_file(&path), shape);
        let found: Shapes = module_keys(&text).into_iter().map(named).collect();
        assert_eq!(found, flat(&lists["text_encoder"]));
    }
    report(published.len(), "names of diffusers");
}

/// Writes a file with these tensors in f16. Their values take no room on disks that leave out
/// what was never written.
fn write(path: &Path, shapes: &Shapes) {
    let (mut header, mut end) = (Map::new(), 0);
    for (name, shape) in shapes {
        let start = end;
        end += 2 * shape.iter().product::<usize>();
        let entry = json!({"dtype": "F16", "shape": shape, "data_offsets": [start, end]});
        header.insert(name.clone(), entry);
    }
    let header = Value::Object(header).to_string();
    let mut file = File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len((8 + header.len() + end) as u64).unwrap();
}

/// Strict loading finds a tensor for every parameter, of its shape, and no use for no other tensor of
/// the three models.
#[test]
fn the_mapping_is_a_bijection_on_the_names_of_single_files() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("model.safetensors");
    let published = published();
    for (lists, config) in &published {
        let shapes = flat(&lists["single_file"]);
        let check = |shapes: &Shapes| {
            write(&path, shapes);
            let source = StableDiffusionSource::single_file(&path, Path::new(""), config.clone());
            source.unwrap().check::<Flex>(&Default::default())
        };
        check(&shapes).unwrap();
        for branch in ["model.", "first_stage_model.", "cond_stage_model."] {
            let one = shapes.keys().find(|key| key.starts_with(branch)).unwrap();
            let mut fewer = shapes.clone();
            fewer.remove(one);
            let error = check(&fewer).unwrap_err().to_string();
            assert!(error.contains("1 are missing, 0 are not used"), "{error}");
            let mut more = shapes.clone();
            more.insert(format!("{one}.more"), vec![1]);
            let error = check(&more).unwrap_err().to_string();
            assert!(error.contains("0 are missing, 1 are not used"), "{error}");
        }

        write(&path, &shapes);
        let of = |prediction| StableDiffusionConfig::of_single_file(&path, prediction).unwrap();
        assert_eq!(&of(None), config);
        let epsilon = of(Some(PredictionType::Epsilon));
        let velocity = of(Some(PredictionType::VPrediction));
        match config.unet.use_linear_projection {
            true => {
                let base = StableDiffusionConfig::stable_diffusion_2_1_base();
                assert_eq!((epsilon.defaults.size, &epsilon), (512, &base));
                assert_eq!((velocity.defaults.size, &velocity), (768, config));
            }
            false => {
                assert_eq!((epsilon.defaults.size, &epsilon), (512, config));
                let scheduler = &velocity.scheduler;
                assert_eq!(scheduler.prediction_type, PredictionType::VPrediction);
            }
        }
    }
    report(published.len(), "names of single files");

    write(&path, &Shapes::from([("weight".to_owned(), vec![2])]));
    let error = StableDiffusionConfig::of_single_file(&path, None).unwrap_err();
    assert!(
        matches!(error, PaintError::NotStableDiffusion { .. }),
        "{error}"
    );
}
