//! The numbers of plans.

use proptest::{prelude::*, sample::select};

use super::{close, schedule};
use crate::schedule::*;

const PREDICTIONS: [PredictionType; 3] = [
    PredictionType::Epsilon,
    PredictionType::VPrediction,
    PredictionType::Sample,
];

/// Every sampler, both ways.
fn scheduler() -> impl Strategy<Value = (SchedulerKind, Convention)> {
    let conventions = [Convention::Pinned, Convention::Current];
    (
        select(SchedulerKind::ALL.to_vec()),
        select(conventions.to_vec()),
    )
}

/// A configuration whose every choice that samplers look at is drawn.
fn config() -> impl Strategy<Value = NoiseScheduleConfig> {
    let spacings = [
        None,
        Some(TimestepSpacing::Leading),
        Some(TimestepSpacing::Trailing),
        Some(TimestepSpacing::Linspace),
    ];
    let curves = [BetaSchedule::Linear, BetaSchedule::ScaledLinear];
    let curve = select(curves.to_vec());
    let prediction = select(PREDICTIONS.to_vec());
    let rest = (0..3_usize, any::<bool>());
    (curve, prediction, select(spacings.to_vec()), rest).prop_map(
        |(beta_schedule, prediction_type, timestep_spacing, (steps_offset, set_alpha_to_one))| {
            NoiseScheduleConfig {
                beta_schedule,
                prediction_type,
                timestep_spacing,
                steps_offset,
                set_alpha_to_one,
                ..NoiseScheduleConfig::stable_diffusion()
            }
        },
    )
}

/// What a perfect model says of a sample: it knows the clean one.
fn oracle(prediction: PredictionType, step: &DenoisingStep, sample: f64, clean: f64) -> f64 {
    let noise = (sample - step.signal_scale * clean) / step.noise_scale;
    let (signal_scale, noise_scale) = (
        step.signal_scale * step.input_scale,
        step.noise_scale * step.input_scale,
    );
    match prediction {
        PredictionType::Epsilon => noise,
        PredictionType::VPrediction => signal_scale * noise - noise_scale * clean,
        PredictionType::Sample => clean,
    }
}

proptest! {
    /// With a perfect model every estimate is the clean sample, and so is the result, but for
    /// the noise of timestep 0 where a plan ends there, and LCM's share of the sample.
    #[test]
    fn a_perfect_model_finds_the_clean_sample(
        config in config(),
        (kind, convention) in scheduler(),
        steps in 1..50_usize,
        clean in -3.0..3.0,
        noise in prop::collection::vec(-3.0..3.0, 51),
    ) {
        let schedule = NoiseSchedule::new(config).unwrap();
        let plan = kind.scheduler(schedule.config(), convention).plan(&schedule, steps).unwrap();
        let first = plan.steps[0];
        let mut sample = first.signal_scale * clean + first.noise_scale * noise[50];
        let mut previous = 0.0;
        for (step, fresh) in plan.steps.iter().zip(&noise) {
            let output = oracle(schedule.prediction_type(), step, sample, clean);
            let denoised = step.denoised.sample * sample + step.denoised.output * output;
            prop_assert!(close(denoised, clean, 1e-9), "{denoised} instead of {clean}");
            sample = step.next.sample * sample
                + step.next.denoised * denoised
                + step.next.previous_denoised * previous
                + step.next.noise * fresh;
            previous = denoised;
        }
        let left = match kind {
            SchedulerKind::Ddim | SchedulerKind::DpmSolver => {
                let level = schedule.level(0).unwrap();
                4.0 * level.noise + 3.0 * (1.0 - level.signal)
            }
            SchedulerKind::Lcm => 1e-4,
            _ => 1e-9,
        };
        prop_assert!((sample - clean).abs() <= left, "{sample} instead of {clean}");
    }

    /// A step makes of a sample with the noise of its own timestep one with the noise of the
    /// next: the factors of signal and noise, of which fresh noise adds to the variance, are
    /// those that the next step expects.
    #[test]
    fn every_step_ends_where_the_next_begins(
        config in config(),
        (kind, convention) in scheduler(),
        steps in 2..60_usize,
    ) {
        prop_assume!(kind != SchedulerKind::Lcm || steps <= 50);
        let schedule = NoiseSchedule::new(config).unwrap();
        let plan = kind.scheduler(schedule.config(), convention).plan(&schedule, steps).unwrap();
        for pair in plan.steps.windows(2) {
            let (step, following) = (pair[0], pair[1]);
            let signal = step.next.sample * step.signal_scale
                + step.next.denoised
                + step.next.previous_denoised;
            let noise = (step.next.sample * step.noise_scale).hypot(step.next.noise);
            let allowed = if kind == SchedulerKind::Lcm { 1e-4 } else { 1e-9 };
            prop_assert!(close(signal, following.signal_scale, allowed), "{signal}");
            prop_assert!(close(noise, following.noise_scale, allowed), "{noise}");
        }
    }

    /// Whatever is asked for, there is a plan of finite factors or an error.
    #[test]
    fn no_number_of_steps_does_harm(
        trained in 1..40_usize,
        (kind, convention) in scheduler(),
        steps in 0..45_usize,
        steps_offset in select(vec![0, 1, 7, usize::MAX]),
        timestep_spacing in select(vec![TimestepSpacing::Leading, TimestepSpacing::Trailing]),
        beta_schedule in select(vec![BetaSchedule::ScaledLinear, BetaSchedule::SquaredcosCapV2]),
    ) {
        let schedule = schedule(|config| {
            config.num_train_timesteps = trained;
            config.steps_offset = steps_offset;
            config.timestep_spacing = Some(timestep_spacing);
            config.beta_schedule = beta_schedule;
        });
        let scheduler = kind.scheduler(schedule.config(), convention);
        if let Ok(plan) = scheduler.plan(&schedule, steps) {
            prop_assert_eq!(plan.steps.len(), steps);
            for step in &plan.steps {
                prop_assert!((0.0..trained as f64).contains(&step.timestep));
                let DenoisingStep { denoised, next, .. } = step;
                let factors = [
                    plan.initial_noise_scale, step.signal_scale, step.noise_scale,
                    step.input_scale, denoised.sample, denoised.output, next.sample,
                    next.denoised, next.previous_denoised, next.noise,
                ];
                prop_assert!(factors.iter().all(|factor| factor.is_finite()), "{step:?}");
            }
            prop_assert_eq!(plan.steps[steps - 1].next.noise, 0.0);
        }
    }

    /// DDIM with all the noise is DDPM.
    #[test]
    fn ddim_with_eta_one_is_ddpm(steps in 1..100_usize) {
        let schedule = schedule(|config| config.set_alpha_to_one = true);
        let ddpm = Ddpm::default().plan(&schedule, steps).unwrap();
        let ddim = Ddim { eta: 1.0, ..Ddim::default() }.plan(&schedule, steps).unwrap();
        for (ddpm, ddim) in ddpm.steps.iter().zip(&ddim.steps) {
            prop_assert_eq!(ddpm.timestep, ddim.timestep);
            prop_assert!(close(ddpm.next.sample, ddim.next.sample, 1e-9));
            prop_assert!(close(ddpm.next.denoised, ddim.next.denoised, 1e-9));
            prop_assert!(close(ddpm.next.noise, ddim.next.noise, 1e-9));
        }
    }
}

#[test]
fn one_step_of_euler_is_the_estimate() {
    let schedule = schedule(|_| ());
    for kind in [SchedulerKind::Euler, SchedulerKind::EulerAncestral] {
        let scheduler = kind.scheduler(schedule.config(), Convention::Pinned);
        let plan = scheduler.plan(&schedule, 1).unwrap();
        assert_eq!(plan.steps[0].timestep, 999.0);
        assert_eq!(plan.initial_noise_scale, plan.steps[0].noise_scale);
        let next = Next {
            denoised: 1.0,
            ..Next::default()
        };
        assert_eq!(plan.steps[0].next, next);
    }
}

#[test]
fn karras_sigmas_get_closer_towards_the_end() {
    let schedule = schedule(|_| ());
    let karras = SchedulerKind::DpmSolverKarras.scheduler(schedule.config(), Convention::Current);
    let plan = karras.plan(&schedule, 12).unwrap();
    let sigmas: Vec<f64> = plan
        .steps
        .iter()
        .map(|step| step.noise_scale / step.signal_scale)
        .collect();
    assert!(close(sigmas[0], schedule.level(999).unwrap().sigma(), 1e-9));
    assert!(close(sigmas[11], schedule.level(0).unwrap().sigma(), 1e-9));
    let roots: Vec<f64> = sigmas.iter().map(|sigma| sigma.powf(1.0 / 7.0)).collect();
    for three in roots.windows(3) {
        assert!(close(three[0] - three[1], three[1] - three[2], 1e-9));
    }
}

#[test]
fn karras_timesteps_of_a_cosine_are_cut_off() {
    let schedule = schedule(|config| config.beta_schedule = BetaSchedule::SquaredcosCapV2);
    let timesteps = |convention: Convention| -> Vec<f64> {
        let karras = SchedulerKind::DpmSolverKarras.scheduler(schedule.config(), convention);
        let plan = karras.plan(&schedule, 10).unwrap();
        plan.steps.iter().map(|step| step.timestep).collect()
    };
    // 999, 998.79, 998.56, 998.29, 997.96, 995.44, 983.29, 894.67, 259.17 and 0.
    assert_eq!(
        timesteps(Convention::Current),
        [
            999.0, 998.0, 998.0, 998.0, 997.0, 995.0, 983.0, 894.0, 259.0, 0.0
        ]
    );
    assert_eq!(
        timesteps(Convention::Pinned),
        [
            999.0, 999.0, 999.0, 998.0, 998.0, 995.0, 983.0, 895.0, 259.0, 0.0
        ]
    );
}

#[test]
fn plans_end_where_the_configuration_says() {
    let schedule = schedule(|config| config.final_sigmas_type = Some(PathEnd::FirstTimestep));
    let plan = |kind: SchedulerKind, convention| {
        let scheduler = kind.scheduler(schedule.config(), convention);
        scheduler.plan(&schedule, 20).unwrap()
    };
    let timesteps = Timesteps::Linspace;
    for (convention, end) in [
        (Convention::Current, PathEnd::FirstTimestep),
        (Convention::Pinned, PathEnd::Clean),
    ] {
        let euler = Euler { timesteps, end }.plan(&schedule, 20);
        assert_eq!(plan(SchedulerKind::Euler, convention), euler.unwrap());
        // From timestep 0 there is no step to timestep 0.
        let last = plan(SchedulerKind::DpmSolverKarras, convention).steps[19].next;
        let is_identity = close(last.sample, 1.0, 1e-9) && close(last.denoised, 0.0, 1e-9);
        assert_eq!(is_identity, end == PathEnd::FirstTimestep, "{last:?}");
    }
    let solver = plan(SchedulerKind::DpmSolver, Convention::Current);
    let end = PathEnd::FirstTimestep;
    let spaced = DpmSolver::Spaced { timesteps, end }.plan(&schedule, 20);
    assert_eq!(solver, spaced.unwrap());
    let end = PathEnd::Clean;
    let spaced = DpmSolver::Spaced { timesteps, end }.plan(&schedule, 20);
    assert_ne!(solver, spaced.unwrap());
}

#[test]
fn a_distilled_model_says_how_it_was_distilled() {
    let schedule = schedule(|config| {
        config.original_inference_steps = Some(20);
        config.timestep_scaling = Some(0.5);
    });
    let expected = Lcm {
        original_inference_steps: 20,
        timestep_scaling: 0.5,
    };
    let expected = expected.plan(&schedule, 4);
    for convention in [Convention::Pinned, Convention::Current] {
        let lcm = SchedulerKind::Lcm.scheduler(schedule.config(), convention);
        assert_eq!(lcm.plan(&schedule, 4), expected);
    }
    assert_ne!(Lcm::default().plan(&schedule, 4), expected);
}

#[test]
fn a_schedule_that_is_clipped_is_refused_where_it_counts() {
    let plan = |kind: SchedulerKind, least: f64| {
        let schedule = schedule(|config| config.lambda_min_clipped = Some(least));
        let scheduler = kind.scheduler(schedule.config(), Convention::Current);
        scheduler.plan(&schedule, 4)
    };
    // The noisiest timestep has −2.68.
    for least in [-2.0, f64::NAN] {
        let error = plan(SchedulerKind::DpmSolver, least).unwrap_err();
        assert!(error.to_string().contains("lambda_min_clipped"), "{error}");
        for other in [SchedulerKind::DpmSolverKarras, SchedulerKind::Euler] {
            plan(other, least).unwrap();
        }
    }
    for least in [-3.0, f64::NEG_INFINITY] {
        plan(SchedulerKind::DpmSolver, least).unwrap();
    }
}

#[test]
fn impossible_numbers_of_steps_are_refused() {
    let schedule = schedule(|_| ());
    for kind in SchedulerKind::ALL {
        let scheduler = kind.scheduler(schedule.config(), Convention::Pinned);
        assert_eq!(scheduler.plan(&schedule, 0), Err(ScheduleError::NoSteps));
        let most = if kind == SchedulerKind::Lcm { 50 } else { 1000 };
        let steps = most + 1;
        let error = ScheduleError::TooManySteps { steps, most };
        assert_eq!(scheduler.plan(&schedule, steps), Err(error));
    }
    // Leading timesteps 999, … 0 and an offset of 1.
    assert_eq!(
        Ddim {
            timesteps: Timesteps::Leading { offset: 1 },
            eta: 0.0
        }
        .plan(&schedule, 1000),
        Err(ScheduleError::Timestep {
            timestep: 1000,
            last: 999
        })
    );
    // 1001 whole timesteps out of 1000.
    let repeated = DpmSolver::default().plan(&schedule, 1000);
    assert!(matches!(repeated, Err(ScheduleError::Repeated { .. })));
    assert_eq!(
        DpmSolver::default()
            .plan(&schedule, 999)
            .unwrap()
            .steps
            .len(),
        999
    );
}

#[test]
fn settings_out_of_range_are_refused() {
    let schedule = schedule(|_| ());
    for eta in [-0.1, 1.1, f64::NAN] {
        let ddim = Ddim {
            eta,
            ..Ddim::default()
        };
        let error = ddim.plan(&schedule, 5).unwrap_err();
        assert!(error.to_string().contains("eta"), "{error}");
    }
    let lcm = Lcm::default();
    for lcm in [
        Lcm {
            original_inference_steps: 0,
            ..lcm
        },
        Lcm {
            original_inference_steps: 1001,
            ..lcm
        },
        Lcm {
            timestep_scaling: 0.0,
            ..lcm
        },
        Lcm {
            timestep_scaling: f64::INFINITY,
            ..lcm
        },
    ] {
        let refused = lcm.plan(&schedule, 2);
        assert!(matches!(refused, Err(ScheduleError::Setting { .. })));
    }
}

#[test]
fn strengths_take_the_last_steps() {
    let schedule = schedule(|_| ());
    let plan = Ddpm::default().plan(&schedule, 10).unwrap();
    assert_eq!(plan.steps_from(1.0).unwrap(), plan.steps);
    assert_eq!(plan.steps_from(0.35).unwrap(), &plan.steps[7..]);
    for strength in [0.0, 0.09, -1.0, 1.01, f64::NAN] {
        let refused = plan.steps_from(strength);
        assert!(matches!(refused, Err(ScheduleError::Strength { .. })));
    }
}
