import sys, tempfile, time
from pathlib import Path
from pipeline.chaos.plan import Plan, Kind
from pipeline.chaos.run import run
from pipeline.settings import Settings
import msgspec
counts = eval(sys.argv[1]) if len(sys.argv)>1 else {}
plan = Plan(seconds=float(sys.argv[2]), events=int(sys.argv[3]), session_timeout_ms=2000, counts={Kind[k]:v for k,v in counts.items()}, away_seconds=(1.0,3.0))
folder=Path(tempfile.mkdtemp(prefix="chaos-"))
print(folder)
last=[""]
def show(s):
    if s.step!=last[0]: print(time.strftime("%X"), s, flush=True); last[0]=s.step
r=run(plan, Settings(), folder, "replay", show)
print(msgspec.json.format(msgspec.json.encode(r),indent=1).decode())
print(r.is_good)
