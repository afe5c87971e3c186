# docker build -t bioblobs . && docker run --rm -v "$PWD:/data" bioblobs predict models/scop-class.ckpt /data/1abc.pdb --out /data/results
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends g++ git make && rm -rf /var/lib/apt/lists/*
WORKDIR /bioblobs
COPY requirements.txt pyproject.toml README.md Makefile ./
COPY src src
RUN make setup PYTHON=python3
COPY . .
ENV PATH=/bioblobs/.venv/bin:$PATH
ENTRYPOINT ["bioblobs"]
