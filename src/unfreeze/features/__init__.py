"""The frozen part of a network, run once: prefix engines, the store of codes, and reading codes in one pass.

OpenVINO and NNCF tell Google Analytics when they are imported and used, by the package ``openvino_telemetry``, and do
without where it is not installed. Here it never is: nothing that a user does with photos is told to anybody.
"""

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # for Python it is missing
