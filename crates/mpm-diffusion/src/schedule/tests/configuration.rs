//! What is read from files and command lines.

use super::close;
use crate::schedule::*;

#[test]
fn configurations_that_describe_no_schedule_are_refused() {
    type Change = fn(&mut NoiseScheduleConfig);
    let wrong: [(&str, Change); 11] = [
        ("num_train_timesteps", |c| c.num_train_timesteps = 0),
        ("num_train_timesteps", |c| {
            c.num_train_timesteps = usize::MAX
        }),
        ("beta_start", |c| c.beta_start = 0.0),
        ("beta_start", |c| c.beta_start = -1.0),
        ("beta_end", |c| c.beta_end = 1.0),
        ("beta_end", |c| c.beta_end = f64::NAN),
        ("trained_betas", |c| c.trained_betas = Some(vec![0.1; 999])),
        ("trained_betas", |c| c.trained_betas = Some(vec![1.5; 1000])),
        ("clip_sample_range", |c| c.clip_sample_range = 0.0),
        ("thresholding", |c| c.thresholding = true),
        ("rescale_betas_zero_snr", |c| {
            c.rescale_betas_zero_snr = true
        }),
    ];
    for (field, change) in wrong {
        let mut config = NoiseScheduleConfig::stable_diffusion();
        change(&mut config);
        let error = NoiseSchedule::new(config).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn configurations_are_read_from_files_of_diffusers() {
    let read = |json: &str| serde_json::from_str::<NoiseScheduleConfig>(json);
    let config = read(
        r#"{"_class_name": "DDPMScheduler", "_diffusers_version": "0.31.0", "use_karras_sigmas": false,
            "variance_type": null, "trained_betas": [0.1, 0.2], "num_train_timesteps": 2,
            "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction",
            "timestep_spacing": "trailing"}"#,
    )
    .unwrap();
    assert_eq!(config.variance_type, VarianceType::FixedSmall);
    assert_eq!(config.beta_schedule, BetaSchedule::SquaredcosCapV2);
    assert_eq!(config.timestep_spacing, Some(TimestepSpacing::Trailing));
    let again = read(&serde_json::to_string(&config).unwrap()).unwrap();
    assert_eq!(again, config);
    let schedule = NoiseSchedule::new(config).unwrap();
    assert_eq!(schedule.prediction_type(), PredictionType::VPrediction);
    assert!(close(schedule.alphas_cumprod()[1], 0.9 * 0.8, 1e-12));
    // ᾱ / (1 − ᾱ) = 0.72 / 0.28.
    assert!(close(
        schedule.signal_to_noise(1).unwrap(),
        0.72 / 0.28,
        1e-12
    ));
    let past = ScheduleError::Timestep {
        timestep: 2,
        last: 1,
    };
    assert_eq!(schedule.signal_to_noise(2), Err(past));

    let config = read(
        r#"{"final_sigmas_type": "sigma_min", "lambda_min_clipped": -5.1,
            "original_inference_steps": 40, "timestep_scaling": null}"#,
    )
    .unwrap();
    assert_eq!(config.final_sigmas_type, Some(PathEnd::FirstTimestep));
    assert_eq!(config.lambda_min_clipped, Some(-5.1));
    assert_eq!(config.original_inference_steps, Some(40));
    assert_eq!(config.timestep_scaling, None);
    let other = read(r#"{"final_sigmas_type": "sigma_max"}"#).unwrap_err();
    assert!(other.to_string().contains("sigma_min"), "{other}");

    let learned = read(r#"{"variance_type": "learned_range"}"#).unwrap_err();
    assert!(learned.to_string().contains("fixed_small"), "{learned}");
}

#[test]
fn names_are_read_as_they_are_written() {
    for kind in SchedulerKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        let json = serde_json::to_value(kind).unwrap();
        assert_eq!(json, kind.name());
        assert_eq!(serde_json::from_value::<SchedulerKind>(json).unwrap(), kind);
    }
    let error = "plms".parse::<SchedulerKind>().unwrap_err().to_string();
    assert!(
        error.contains("plms") && error.contains("dpm++2m-karras"),
        "{error}"
    );
}
