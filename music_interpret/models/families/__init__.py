"""Model families: from a model's folder to a loaded model. Each module here is one family.

A family is a module with

- `recognises(folder) -> bool`: whether the folder `models/<dataset>/<data_repr>/` is laid out as its models are;
- `load(folder, notes_folder) -> LoadedModel`: the model; `notes_folder` is the data set's `notes/`, or another folder
  with the tables of the token scheme, such as an activation store;
- optional, `reinitialise(source, folder, notes_folder, seed)`: writes a model of the same sizes with the weights that
  training starts from, for the control of that name.

`find.py` goes through them.
"""
