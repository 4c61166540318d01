# Made from pins.yaml by tools/pins.py: change it there.
#     docker build -t prm-scaling .
#     docker run --rm -v "$PWD:/prm-scaling" prm-scaling snakemake --cores all
FROM python:3.11-slim-bookworm
COPY requirements.txt /requirements.txt
RUN apt-get update && apt-get install -y --no-install-recommends git bubblewrap openssh-client && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir -r /requirements.txt
# The checkout is another user's inside the container.
RUN git config --system --add safe.directory /prm-scaling
WORKDIR /prm-scaling
