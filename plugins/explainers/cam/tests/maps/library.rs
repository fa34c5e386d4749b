//! The manifest says what the library holds.

use xbench_plugin::testing::TestHost;

use crate::entry;

#[test]
fn the_manifest_names_every_explainer() {
    let manifest = include_str!("../../xbench-plugin.toml");
    let listed: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"'))
        .collect();
    let host = TestHost::new(&entry).expect("an entry of this version");
    assert_eq!(host.ids().expect("sound descriptors"), listed);
    for id in listed {
        let schema = host.params_schema(id).expect("a schema");
        let has = |name: &str| schema["properties"][name].is_object();
        assert_eq!(
            has("layer"),
            !matches!(id, "org.xbench.cam" | "org.xbench.fullgrad")
        );
        assert_eq!(
            has("relu"),
            !matches!(id, "org.xbench.fullgrad" | "org.xbench.guided-gradcam")
        );
    }
}
