# Made from pins.yaml by tools/pins.py: change it there.
python -m pip install --disable-pip-version-check math-verify==0.9.0 crowd-kit==1.4.2
