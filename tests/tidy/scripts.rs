//! Shell scripts stop at the first step that fails, whichever shell reads them.

use crate::report;
use crate::texts::{Text, texts};

/// Scripts whose form others decide, or that go on after a failure on purpose.
const OTHERS: [&str; 3] = [
    "image/pi-gen/stage-hekte/prerun.sh",
    "image/pi-gen/stage-hekte/00-hekte/01-run.sh",
    "tests/systemd/inside.sh",
];

#[test]
fn scripts_stop_at_the_first_fault() {
    let faults = texts().into_iter().filter(|text| !OTHERS.contains(&text.path.as_str()));
    report(faults.filter_map(|text| fault(&text)).collect());
}

fn fault(text: &Text) -> Option<String> {
    let first = text.content.lines().next().filter(|line| line.starts_with("#!"))?;
    let wanted = match first {
        "#!/usr/bin/env bash" => "set -euo pipefail",
        // dpkg runs these with variables that may be unset
        "#!/bin/sh" if text.path.starts_with("deb/") => "set -e",
        // carried into an image, where there may be no bash
        "#!/bin/sh" => "set -eu",
        _ if first.contains("sh") => {
            return Some(format!("{}: {first} -> #!/usr/bin/env bash", text.path));
        }
        _ => return None,
    };
    let sets = text.content.lines().any(|line| line == wanted);
    (!sets).then(|| format!("{}: goes on after a failure -> `{wanted}`", text.path))
}

#[test]
fn a_script_that_goes_on_is_found() {
    let script = |path: &str, content: &str| Text { path: path.into(), content: content.into() };
    let bash = "#!/usr/bin/env bash\n# A.\n";
    assert!(fault(&script("a.sh", &format!("{bash}set -eu\n"))).is_some());
    assert!(fault(&script("a.sh", &format!("{bash}set -euo pipefail\n"))).is_none());
    assert!(fault(&script("a.sh", "#!/bin/bash\nset -euo pipefail\n")).is_some());
    assert!(fault(&script("image/a", "#!/bin/sh\nset -e\n")).is_some());
    assert!(fault(&script("deb/a", "#!/bin/sh\nset -e\n")).is_none());
    assert!(fault(&script("a.py", "#!/usr/bin/env python3\n")).is_none());
}
