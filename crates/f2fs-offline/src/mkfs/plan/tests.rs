//! The plan against what `mkfs.f2fs` 1.15 wrote for the same sizes, and its limits.

use super::*;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

fn plan(size: u64, per_section: u32, per_zone: u32) -> Result<FormatPlan, FormatError> {
    FormatPlan::new(&FormatOptions {
        segments_per_section: per_section,
        sections_per_zone: per_zone,
        ..FormatOptions::new(size)
    })
}

/// size, units; segments: all, SIT, NAT, SSA, MAIN; payload; reserved, overprovision; cold and warm
/// data logs.
type Row = (u64, (u32, u32), [u32; 5], u32, (u32, u32), (u32, u32));

const ROWS: [Row; 14] = [
    (52 * MIB, (1, 1), [25, 2, 2, 1, 18], 0, (12, 14), (4, 8)),
    (64 * MIB, (1, 1), [31, 2, 2, 1, 24], 0, (13, 16), (5, 11)),
    (96 * MIB, (1, 1), [47, 2, 2, 1, 40], 0, (16, 22), (9, 19)),
    (128 * MIB, (1, 1), [63, 2, 2, 1, 56], 0, (18, 25), (13, 27)),
    (
        256 * MIB,
        (1, 1),
        [127, 2, 2, 1, 120],
        0,
        (21, 35),
        (29, 59),
    ),
    (
        512 * MIB,
        (1, 1),
        [255, 2, 2, 1, 248],
        0,
        (28, 50),
        (61, 123),
    ),
    (GIB, (1, 1), [511, 2, 4, 1, 502], 0, (39, 68), (124, 250)),
    (GIB, (4, 2), [504, 2, 4, 8, 488], 0, (112, 149), (112, 232)),
    (GIB, (2, 1), [510, 2, 4, 2, 500], 0, (60, 99), (122, 248)),
    (
        4 * GIB,
        (1, 1),
        [2047, 2, 10, 4, 2029],
        0,
        (71, 132),
        (506, 1013),
    ),
    (
        64 * GIB,
        (1, 1),
        [32767, 4, 116, 64, 32581],
        0,
        (264, 516),
        (8144, 16289),
    ),
    (
        1024 * GIB,
        (1, 1),
        [524_287, 38, 82, 1024, 523_141],
        0,
        (1007, 2051),
        (130_784, 261_569),
    ),
    (
        4096 * GIB,
        (1, 1),
        [2_097_151, 150, 120, 4096, 2_092_783],
        2,
        (2008, 4098),
        (523_194, 1_046_390),
    ),
    (
        16380 * GIB,
        (1, 1),
        [8_386_559, 596, 120, 16379, 8_369_462],
        5,
        (4008, 8190),
        (2_092_364, 4_184_730),
    ),
];

#[test]
fn shapes_are_those_of_linux() {
    for (size, (per_section, per_zone), segments, payload, kept_back, data_logs) in ROWS {
        let plan = plan(size, per_section, per_zone).unwrap();
        let found = [
            plan.segment_count,
            plan.segment_count_sit,
            plan.segment_count_nat,
            plan.segment_count_ssa,
            plan.segment_count_main,
        ];
        assert_eq!(found, segments, "{size}");
        assert_eq!(plan.cp_payload, payload, "{size}");
        assert_eq!(
            (plan.reserved_segments, plan.overprovision_segments),
            kept_back,
            "{size}"
        );
        let cold_and_warm = (plan.log_starts[2].get(), plan.log_starts[1].get());
        assert_eq!(cold_and_warm, data_logs, "{size}");
        let user = u64::from(segments[4] - kept_back.1) * 512;
        assert_eq!(
            (plan.user_block_count, plan.block_count),
            (user, size / 4096),
            "{size}"
        );
    }
}

#[test]
fn areas_and_logs_start_at_zone_borders() {
    let plan = plan(GIB, 4, 2).unwrap();
    assert_eq!((plan.cp_start.get(), plan.main_start.get()), (4096, 12288));
    assert_eq!(
        plan.log_starts.map(SegmentNo::get),
        [24, 232, 112, 0, 8, 16]
    );
    assert_eq!(plan.log_block(CursegType::WarmNode).get(), 12288 + 8 * 512);
}

#[test]
fn the_smallest_volume_is_named() {
    let FormatError::TooSmall { minimum, .. } = plan(40 * MIB, 1, 1).unwrap_err() else {
        panic!("40 MiB are too few");
    };
    assert_eq!(minimum, 52 * MIB);
    assert!(plan(minimum, 1, 1).is_ok() && plan(minimum - 1, 1, 1).is_err());
    assert!(matches!(plan(0, 1, 1), Err(FormatError::TooSmall { .. })));
    assert!(matches!(
        plan(96 * MIB, 4, 2),
        Err(FormatError::TooSmall { .. })
    ));
}

#[test]
fn the_largest_volume_stops_short_of_the_special_addresses() {
    let plan = plan(SIZE_MAX, 1, 1).unwrap();
    let end = u64::from(plan.main_start.get()) + u64::from(plan.segment_count_main) * 512;
    assert!(end <= BLOCK_LIMIT);
    assert_eq!((plan.block_count, plan.segment_count), (1 << 32, 8_388_606));
    let error = FormatPlan::new(&FormatOptions::new(SIZE_MAX + 1)).unwrap_err();
    assert!(matches!(error, FormatError::TooLarge { .. }));
}

#[test]
fn no_geometry_panics() {
    let units = [0, 1, 2, 3, 7, 100, 4096, 1 << 20, u32::MAX];
    for per_section in units {
        for per_zone in units {
            for size in [
                0,
                1,
                4095,
                2 * MIB,
                100 * MIB,
                10 * GIB,
                3000 * GIB,
                SIZE_MAX,
                u64::MAX,
            ] {
                if let Ok(plan) = plan(size, per_section, per_zone) {
                    assert!(plan.overprovision_segments < plan.segment_count_main);
                    assert!(
                        plan.log_starts
                            .iter()
                            .all(|log| log.get() < plan.segment_count_main)
                    );
                }
            }
        }
    }
}
