"""Run all stages: python run_partoken_multistage.py [--config FILE] [key=value ...], or --resume FOLDER"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))

from bioblobs.stages.pipeline import main

if __name__ == "__main__":
    main()
